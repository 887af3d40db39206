// SPDX-License-Identifier: MIT
#include "backend/init-files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/archive.h"
#include "backend/sql-schema.h"
#include "base/file.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "net/jwt.h"

static const char config_text[] = "{\n"
                                  "  \"main\": {\n"
                                  "    \"addr\": \"127.0.0.1:8080\",\n"
                                  "    \"short-running-jobs-duration\": 300,\n"
                                  "    \"resampling\": {\n"
                                  "      \"minimum-points\": 600,\n"
                                  "      \"trigger\": 300,\n"
                                  "      \"resolutions\": [240, 60]\n"
                                  "    },\n"
                                  "    \"api-allowed-ips\": [\"*\"],\n"
                                  "    \"emission-constant\": 317\n"
                                  "  },\n"
                                  "  \"cron\": {\n"
                                  "    \"commit-job-worker\": \"1m\",\n"
                                  "    \"duration-worker\": \"5m\",\n"
                                  "    \"footprint-worker\": \"10m\"\n"
                                  "  },\n"
                                  "  \"archive\": {\n"
                                  "    \"kind\": \"file\",\n"
                                  "    \"path\": \"./var/job-archive\"\n"
                                  "  },\n"
                                  "  \"auth\": {\n"
                                  "    \"jwts\": {\n"
                                  "      \"max-age\": \"2000h\"\n"
                                  "    }\n"
                                  "  },\n"
                                  "  \"metric-store\": {\n"
                                  "    \"retention-in-memory\": \"48h\",\n"
                                  "    \"memory-cap\": 4\n"
                                  "  }\n"
                                  "}\n";

// Never overwrites: an existing configuration or secret stays.
static int create_file(const char *path, struct slice text, mode_t mode, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return error_set_errno(err, "cannot create '%s'", path);
    int rc = io_write_all(&io_system, fd, text, path, err);
    if (close(fd) && rc == 0)
        rc = error_set_errno(err, "cannot write '%s'", path);
    return rc;
}

static int random_base64(struct buf *out, struct error *err)
{
    char bytes[32];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return error_set_errno(err, "getrandom");
    base64_encode_std(slice_of(bytes, sizeof(bytes)), out);
    return 0;
}

static int create_env(struct error *err)
{
    char *public_key = NULL, *private_key = NULL;
    struct buf text;
    buf_init(&text, 65536);
    int rc = jwt_generate_keys(&public_key, &private_key, err);
    if (rc == 0) {
        buf_printf(&text,
                   "# Ed25519 key pair that signs and checks API tokens (base64)\nJWT_PUBLIC_KEY=\"%s\"\n",
                   public_key);
        buf_printf(&text, "JWT_PRIVATE_KEY=\"%s\"\n\n# Key of session cookies (base64)\nSESSION_KEY=\"",
                   private_key);
        rc = random_base64(&text, err);
        buf_append_cstr(&text, "\"\n");
    }
    if (rc == 0)
        rc = create_file(".env", buf_slice(&text), 0600, err);
    buf_release(&text);
    mem_free(public_key);
    mem_free(private_key);
    return rc;
}

static int create_database(struct error *err)
{
    struct sql_options options = {.path = "./var/job.db", .create = true};
    struct sql_pool *pool = NULL;
    int rc = sql_pool_open(&options, &pool, err);
    if (rc)
        return rc;
    struct sql_conn *conn = sql_take_writer(pool);
    rc = sql_schema_migrate(conn, err);
    if (rc == 0)
        rc = sql_schema_complete(conn, err);
    sql_give_back(&conn);
    sql_pool_close(&pool);
    return rc;
}

static int create_archive(struct error *err)
{
    struct archive *archive = NULL;
    int rc = io_make_dirs(&io_system, "./var/job-archive", 0777, err);
    if (rc == 0)
        rc = archive_open("./var/job-archive", &io_system, &archive, err);
    archive_free(&archive);
    return rc;
}

int init_files(struct error *err)
{
    if (file_exists("var")) {
        puts("Directory ./var already exists. Cautiously exiting application initialization.");
        return 0;
    }
    int rc = create_file("config.json", SLICE_LITERAL(config_text), 0666, err);
    if (rc == 0)
        rc = create_env(err);
    if (rc == 0)
        rc = io_make_dirs(&io_system, "./var", 0777, err);
    if (rc == 0)
        rc = create_database(err);
    if (rc == 0)
        rc = create_archive(err);
    if (rc == 0)
        puts("Successfully setup environment!\nPlease review config.json and .env and adjust it to your "
             "needs.\n"
             "Add your job-archive at ./var/job-archive.");
    return rc;
}
