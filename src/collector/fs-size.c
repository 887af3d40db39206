// SPDX-License-Identifier: MIT
#include "collector/fs-size.h"

#include <sys/statfs.h>

#include "base/file.h"
#include "base/mem.h"
#include "codec/json.h"

struct fs_sizes {
    struct json_doc *table; // NULL: the real thing
};

int fs_sizes_new(const char *root, struct fs_sizes **ret, struct error *err)
{
    struct json_doc *table = NULL;
    if (*root) {
        char *path = file_join(root, "statfs.json");
        struct buf text;
        buf_init(&text, 1 << 20);
        int rc = 0;
        if (file_exists(path)) {
            rc = file_read(path, text.max_bytes, &text, err);
            if (rc == 0)
                rc = json_parse(buf_slice(&text), &table, err);
        }
        buf_release(&text);
        mem_free(path);
        if (rc < 0)
            return error_prefix(err, "statfs.json");
    }
    *ret = NEW(struct fs_sizes);
    (*ret)->table = table;
    return 0;
}

void fs_sizes_free(struct fs_sizes **sizes)
{
    if (!*sizes)
        return;
    json_doc_free(&(*sizes)->table);
    mem_free(*sizes);
    *sizes = NULL;
}

static uint64_t member(const struct json_value *object, const char *key)
{
    return (uint64_t)MAX(json_int(json_get(object, key), 0), (int64_t)0);
}

bool fs_size_get(const struct fs_sizes *sizes, const char *mount_point, struct fs_size *ret)
{
    if (sizes->table) {
        const struct json_value *v = json_get(json_root(sizes->table), mount_point);
        uint64_t bsize = member(v, "bsize");
        *ret = (struct fs_size){.total_bytes = member(v, "blocks") * bsize,
                                .free_bytes = member(v, "bfree") * bsize};
        return ret->total_bytes > 0;
    }
    struct statfs st;
    if (statfs(mount_point, &st) < 0)
        return false;
    uint64_t bsize = (uint64_t)st.f_bsize;
    *ret = (struct fs_size){.total_bytes = st.f_blocks * bsize, .free_bytes = st.f_bfree * bsize};
    return ret->total_bytes > 0;
}
