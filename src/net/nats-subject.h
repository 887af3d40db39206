// SPDX-License-Identifier: MIT
// Texts of the NATS protocol, without the library: subjects, names of streams and durable consumers, and what the reply subject of a
// JetStream message says about it:
//
//     $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time ns>.<pending>
//     $JS.ACK.<domain>.<account>.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time ns>.<pending>[.<more>]
#ifndef NET_NATS_SUBJECT_H
#define NET_NATS_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define NATS_SUBJECT_MAX 1024 // bytes that we accept; the server's line limit is 4096
#define NATS_NAME_MAX    128

// Tokens between dots, none empty, without blanks and control characters; with_wildcards: '*' may be a token, and '>' the last one.
bool nats_subject_is_valid(struct slice subject, bool with_wildcards);
// Name of a stream or a durable consumer: no dots, wildcards, slashes, blanks.
bool nats_name_is_valid(struct slice name);
// Whether a subject fits a pattern with wildcards.
bool nats_subject_matches(struct slice pattern, struct slice subject);

struct nats_ack {
    struct slice stream, consumer;
    uint64_t deliveries; // 1: the first time
    uint64_t stream_seq, consumer_seq;
    int64_t time_ns;  // when the stream took the message, Unix
    uint64_t pending; // messages of the consumer that were not delivered yet
};
bool nats_ack_parse(struct slice reply, struct nats_ack *ret);

#endif
