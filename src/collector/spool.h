// SPDX-License-Identifier: MIT
// Bounded queue of encoded line protocol between the reading side and the sender of one sink.
//
// Lines are appended to an open chunk. A chunk is sealed when the batch window is over, when it is big enough
// or on demand, and is then sent, and if need be sent again, as one body. When the whole exceeds its maximum
// the oldest chunks go first; what went is counted. Not thread safe: the sink holds its lock around each
// call. Times are parameters.
#ifndef COLLECTOR_SPOOL_H
#define COLLECTOR_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define SPOOL_CHUNK_BYTES ((size_t)256 << 10) // an open chunk of this size is sealed

struct spool_chunk {
    struct buf bytes;
    uint32_t messages;
    struct spool_chunk *next;
};

struct spool {
    struct spool_chunk *open;         // being filled, never NULL
    struct spool_chunk *first, *last; // sealed ones, oldest first
    struct spool_chunk *spare;        // one emptied chunk, kept for its memory
    size_t used_bytes, max_bytes;     // open and sealed chunks
    uint64_t queued_messages;
    uint64_t dropped_messages; // by overflow, since the start
};

void spool_init(struct spool *spool, size_t max_bytes);
void spool_release(struct spool *spool);
// The open chunk's buffer to append to; call spool_appended afterwards.
struct buf *spool_buf(struct spool *spool);
// Accounts for what was appended (messages may be 0). Returns how many old messages had to go for it.
uint64_t spool_appended(struct spool *spool, size_t bytes, uint32_t messages);
bool spool_open_is_empty(const struct spool *spool);
void spool_seal(struct spool *spool); // no-op when the open chunk is empty
// Takes the oldest sealed chunk out (NULL: none). Give it back with exactly one of the two calls below.
struct spool_chunk *spool_take(struct spool *spool);
void spool_return(struct spool *spool, struct spool_chunk **chunk);  // to the front: it is still to be sent
void spool_recycle(struct spool *spool, struct spool_chunk **chunk); // done with
// Throws everything away that is queued; returns how many messages that were (not counted as overflow).
uint64_t spool_discard(struct spool *spool);

#endif
