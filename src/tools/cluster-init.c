// SPDX-License-Identifier: MIT
// cc-cluster-init: makes this machine a cluster of its own. Writes <archive>/version.txt and
// <archive>/<name>/cluster.json (spec job-archive.md 2.1, 3.1), or replaces the latter with -force. Existing
// jobs of the archive are left alone.
#include <stdio.h>

#include "base/cmdline.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"
#include "model/cluster.h"
#include "tools/describe.h"

#define ARCHIVE_VERSION "3\n"
#define TIMESTEP_MAX_S  86400
#define DESCRIPTION_MAX ((size_t)64 << 20)

struct options {
    const char *name, *archive, *root;
    int64_t timestep_s;
    bool force, version;
};

static const struct cmdline_flag flags[] = {
    {"archive", CMDLINE_STRING, offsetof(struct options, archive), "",
     "`Folder` of the job archive, made if needed"},
    {"force", CMDLINE_BOOL, offsetof(struct options, force), "false", "Replace an existing description"},
    {"name", CMDLINE_STRING, offsetof(struct options, name), "", "Name of the cluster"},
    {"root", CMDLINE_STRING, offsetof(struct options, root), "/", "Read /proc and /sys below this `folder`"},
    {"timestep", CMDLINE_INT, offsetof(struct options, timestep_s), "1",
     "`Seconds` between two samples of the collector"},
    {"version", CMDLINE_BOOL, offsetof(struct options, version), "false", "Show the version and exit"},
    {0},
};

static int check(const struct options *o, struct error *err)
{
    struct slice name = slice_from_cstr(o->name);

    if (name.len == 0)
        return error_set(err, ERR_INVALID, "no cluster named: use -name");
    if (name.ptr[0] == '.' || slice_find_byte(name, '/') >= 0 || !slice_is_utf8(name))
        return error_set(err, ERR_INVALID, "'%s' cannot be a cluster name: it is also that of a folder",
                         o->name);
    if (!*o->archive)
        return error_set(err, ERR_INVALID, "no archive named: use -archive");
    if (o->timestep_s < 1 || o->timestep_s > TIMESTEP_MAX_S)
        return error_set(err, ERR_INVALID, "-timestep %lld is not between 1 and %d seconds",
                         (long long)o->timestep_s, TIMESTEP_MAX_S);
    return 0;
}

// A description that our own reader refuses must not reach the disk.
static int proof_read(struct slice text, const char *name, struct error *err)
{
    struct cluster_set *set = NULL;
    int rc = cluster_set_load_text(text, name, &set, err);

    cluster_set_free(&set);
    return rc;
}

static int describe(const struct options *o, struct buf *out, struct error *err)
{
    struct arena *arena = arena_new(SIZE_MAX);
    struct describe_options options = {.cluster = o->name, .timestep_s = o->timestep_s};
    struct machine machine;
    char host[256];

    int rc = process_short_hostname(host, sizeof(host), err);
    if (rc == 0)
        rc = machine_read(o->root, arena, &machine, err);
    if (rc == 0) {
        options.host = host;
        describe_machine(&machine, &options, out);
        rc = proof_read(buf_slice(out), o->name, err);
    }
    arena_free(&arena);
    return rc;
}

// Writes version.txt, or checks that the archive there is of our version.
static int open_archive(const char *archive, struct error *err)
{
    char *path = file_join(archive, "version.txt");
    struct buf text;

    buf_init(&text, 4096);
    int rc = io_make_dirs(&io_system, archive, 0777, err);
    if (rc == 0 && !file_exists(path))
        rc = io_replace_file(&io_system, path, SLICE_LITERAL(ARCHIVE_VERSION), 0666, err);
    else if (rc == 0 && (rc = file_read(path, 4096, &text, err)) == 0 &&
             !slice_eq_cstr(slice_trim(buf_slice(&text)), "3"))
        rc = error_set(err, ERR_UNSUPPORTED, "'%s' is an archive of version '%.*s', not 3", archive,
                       SLICE_FMT(slice_trim(buf_slice(&text))));
    buf_release(&text);
    mem_free(path);
    return rc;
}

static int write_description(const struct options *o, struct slice text, struct error *err)
{
    char *folder = file_join(o->archive, o->name), *path = file_join(folder, "cluster.json");
    int rc = 0;

    if (file_exists(path) && !o->force)
        rc = error_set(err, ERR_EXISTS, "'%s' is there already: use -force to replace it", path);
    if (rc == 0)
        rc = io_make_dirs(&io_system, folder, 0777, err);
    if (rc == 0)
        rc = io_replace_file(&io_system, path, text, 0666, err);
    if (rc == 0)
        printf("%s\n", path);
    mem_free(path);
    mem_free(folder);
    return rc;
}

static int cluster_init(const struct options *o, struct error *err)
{
    struct buf text;

    buf_init(&text, DESCRIPTION_MAX);
    int rc = check(o, err);
    if (rc == 0)
        rc = describe(o, &text, err);
    if (rc == 0)
        rc = open_archive(o->archive, err);
    if (rc == 0)
        rc = write_description(o, buf_slice(&text), err);
    buf_release(&text);
    return rc;
}

int main(int argc, char **argv)
{
    struct options options;
    struct error err = ERROR_INIT;
    int rest = 0;

    enum cmdline_outcome outcome = cmdline_parse(flags, &options, argc, argv, stderr, &rest);
    if (outcome != CMDLINE_OK)
        return outcome == CMDLINE_HELP ? 0 : 2;
    if (options.version) {
        printf("cc-cluster-init %s\n", CC_VERSION);
        return 0;
    }
    if (rest < argc) {
        fprintf(stderr, "cc-cluster-init: unexpected argument '%s'\n", argv[rest]);
        return 2;
    }
    if (cluster_init(&options, &err) < 0) {
        fprintf(stderr, "cc-cluster-init: %s\n", err.text);
        return 1;
    }
    return 0;
}
