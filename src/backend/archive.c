// SPDX-License-Identifier: MIT
#include "backend/archive.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "backend/job-data-read.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "codec/gzip.h"
#include "codec/json.h"

#define META_MAX_BYTES ((size_t)256 << 20)
#define DATA_MAX_BYTES ((size_t)2 << 30)
#define FILE_MODE      0666 // minus umask, as upstream
#define FOLDER_MODE    0777

struct archive {
    char *root;
    struct io io;
};

// ---- opening ----------------------------------------------------------------------------------------------
static bool holds_nothing(const char *root)
{
    char **names = NULL;
    size_t count = 0, visible = 0;
    if (file_list(root, &names, &count, NULL))
        return false;
    for (size_t i = 0; i < count; i++)
        visible += names[i][0] != '.';
    file_list_free(&names, count);
    return visible == 0;
}

static int check_version(const char *path, struct slice text, struct error *err)
{
    uint64_t version = 0;
    if (text.len && text.ptr[text.len - 1] == '\n')
        text.len--;
    struct error cause = ERROR_INIT;
    if (strnum_parse_u64(text, &version, &cause))
        return error_set(err, ERR_CORRUPT, "%s: %s", path, cause.text);
    if (version != ARCHIVE_VERSION)
        return error_set(err, ERR_UNSUPPORTED, "unsupported version %" PRIu64 ", need %d", version,
                         ARCHIVE_VERSION);
    return 0;
}

static int open_version(const char *root, const struct io *io, struct error *err)
{
    struct stat st;
    struct buf text;
    if (stat(root, &st))
        return error_set(err, ERR_NOT_FOUND, "open %s: %s", root,
                         errno == ENOENT ? "no such file or directory" : strerror(errno));
    char *path = file_join(root, "version.txt");
    buf_init(&text, 4096);
    int rc = io_read_file(io, path, 4096, &text, err);
    if (rc == 0)
        rc = check_version(path, buf_slice(&text), err);
    else if (rc == ERR_NOT_FOUND && holds_nothing(root))
        rc = io_replace_file(io, path, SLICE_LITERAL("3\n"), FILE_MODE, err);
    buf_release(&text);
    mem_free(path);
    return rc;
}

int archive_open(const char *root, const struct io *io, struct archive **ret_archive, struct error *err)
{
    if (!root[0])
        return error_set(err, ERR_INVALID, "Init() : empty config.Path");
    int rc = open_version(root, io, err);
    if (rc)
        return rc;
    struct archive *a = NEW(struct archive);
    a->root = mem_strdup(root);
    a->io = *io;
    *ret_archive = a;
    return 0;
}

void archive_free(struct archive **archive)
{
    if (!*archive)
        return;
    mem_free((*archive)->root);
    mem_free(*archive);
    *archive = NULL;
}

const char *archive_root(const struct archive *archive)
{
    return archive->root;
}

// ---- paths
// -------------------------------------------------------------------------------------------------- A
// cluster name comes from the configuration, but an archive may be asked for what stands in a database.
static bool is_folder_name(struct slice name)
{
    return name.len && name.len < 256 && name.ptr[0] != '.' && slice_find_byte(name, '/') < 0 &&
           slice_find_byte(name, '\0') < 0;
}

static int job_path(const struct archive *a, const struct job *job, const char *file, struct buf *out,
                    struct error *err)
{
    if (job->job_id < 0 || !is_folder_name(job->cluster))
        return error_set(err, ERR_INVALID, "job %" PRId64 " of cluster '%.*s' has no place in the archive",
                         job->job_id, SLICE_FMT(job->cluster));
    buf_clear(out);
    buf_printf(out, "%s/%.*s/%" PRId64 "/%03" PRId64 "/%" PRId64 "%s%s", a->root, SLICE_FMT(job->cluster),
               job->job_id / 1000, job->job_id % 1000, job->start_time, file[0] ? "/" : "", file);
    buf_cstr(out);
    return 0;
}

// ---- writing ----------------------------------------------------------------------------------------------
static int write_file(const struct archive *a, const struct job *job, const char *name, struct slice bytes,
                      struct error *err)
{
    struct buf path;
    buf_init(&path, 8192);
    int rc = job_path(a, job, name, &path, err);
    if (rc == 0)
        rc = io_replace_file(&a->io, buf_cstr(&path), bytes, FILE_MODE, err);
    buf_release(&path);
    return rc;
}

// The variant that an earlier import may have left would hide the new one (2.3).
static int remove_other(const struct archive *a, const struct job *job, const char *name, struct error *err)
{
    struct buf path;
    buf_init(&path, 8192);
    int rc = job_path(a, job, name, &path, err);
    if (rc == 0 && a->io.ops->unlink(a->io.ctx, buf_cstr(&path)) && errno != ENOENT)
        rc = error_set_errno(err, "cannot remove '%s'", buf_cstr(&path));
    buf_release(&path);
    return rc;
}

static int write_data(const struct archive *a, const struct job *job, const struct job_data *data,
                      struct error *err)
{
    struct buf text, packed;
    buf_init(&text, DATA_MAX_BYTES);
    buf_init(&packed, DATA_MAX_BYTES);
    job_data_encode(data, &text);
    buf_append_byte(&text, '\n');
    bool compress = text.len > ARCHIVE_PLAIN_MAX_BYTES;
    int rc = buf_failed(&text) ? error_set(err, ERR_LIMIT, "the metric data is too large") : 0;
    if (rc == 0 && compress)
        rc = gzip_compress(buf_slice(&text), 0, &packed, err);
    if (rc == 0)
        rc = write_file(a, job, compress ? "data.json.gz" : "data.json",
                        buf_slice(compress ? &packed : &text), err);
    if (rc == 0)
        rc = remove_other(a, job, compress ? "data.json" : "data.json.gz", err);
    buf_release(&text);
    buf_release(&packed);
    return rc;
}

static int write_meta(const struct archive *a, const struct job *job, struct error *err)
{
    struct buf text;
    buf_init(&text, META_MAX_BYTES);
    job_encode(job, &text);
    buf_append_byte(&text, '\n');
    int rc = buf_failed(&text) ? error_set(err, ERR_LIMIT, "the job record is too large")
                               : write_file(a, job, "meta.json", buf_slice(&text), err);
    buf_release(&text);
    return rc;
}

int archive_write_job(const struct archive *a, const struct job *job, const struct job_data *data,
                      struct error *err)
{
    struct buf folder;
    buf_init(&folder, 8192);
    int rc = job_path(a, job, "", &folder, err);
    if (rc == 0)
        rc = io_make_dirs(&a->io, buf_cstr(&folder), FOLDER_MODE, err);
    if (rc == 0)
        rc = write_data(a, job, data, err);
    if (rc == 0)
        rc = write_meta(a, job, err);
    buf_release(&folder);
    return rc;
}

// ---- reading
// ------------------------------------------------------------------------------------------------ Appends
// the file to *out; *ret_path (heap) names it in messages.
static int read_file(const struct archive *a, const struct job *key, const char *name, size_t max_bytes,
                     struct buf *out, struct error *err)
{
    struct buf path;
    buf_init(&path, 8192);
    int rc = job_path(a, key, name, &path, err);
    if (rc == 0)
        rc = io_read_file(&a->io, buf_cstr(&path), max_bytes, out, err);
    buf_release(&path);
    return rc;
}

int archive_read_meta(const struct archive *a, const struct job *key, struct arena *arena, struct job *ret,
                      struct error *err)
{
    struct buf text;
    struct json_doc *doc = NULL;
    struct error cause = ERROR_INIT;
    buf_init(&text, META_MAX_BYTES);
    int rc = read_file(a, key, "meta.json", META_MAX_BYTES, &text, err);
    if (rc)
        goto out;
    rc = json_parse(buf_slice(&text), &doc, &cause);
    if (rc == 0)
        rc = job_decode(json_root(doc), false, arena, ret, &cause);
    if (rc)
        rc = error_set(err, ERR_CORRUPT, "meta.json of job %" PRId64 " (start %" PRId64 ") is damaged: %s",
                       key->job_id, key->start_time, cause.text);
out:
    json_doc_free(&doc);
    buf_release(&text);
    return rc;
}

// data.json.gz is preferred (2.8); *out holds the document.
static int read_document(const struct archive *a, const struct job *key, struct buf *out, struct error *err)
{
    struct buf packed;
    buf_init(&packed, DATA_MAX_BYTES);
    int rc = read_file(a, key, "data.json.gz", DATA_MAX_BYTES, &packed, err);
    if (rc == 0)
        rc = gzip_decompress(buf_slice(&packed), out, err);
    else if (rc == ERR_NOT_FOUND)
        rc = read_file(a, key, "data.json", DATA_MAX_BYTES, out, err);
    buf_release(&packed);
    return rc;
}

int archive_read_data(const struct archive *a, const struct job *key, struct arena *arena,
                      struct job_data *ret, struct error *err)
{
    struct buf text;
    struct error cause = ERROR_INIT;
    buf_init(&text, DATA_MAX_BYTES);
    int rc = read_document(a, key, &text, &cause);
    if (rc == 0)
        rc = job_data_read(buf_slice(&text), arena, ret, &cause);
    buf_release(&text);
    if (rc)
        error_set(err, cause.code, "metric data of job %" PRId64 " (start %" PRId64 "): %s", key->job_id,
                  key->start_time, cause.text);
    return rc;
}
