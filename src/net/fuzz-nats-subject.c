// SPDX-License-Identifier: MIT
// The first line is a pattern or a name, the second a subject, which may be that of an acknowledgement.
#include "base/macros.h"
#include "net/nats-subject.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct slice subject = slice_of((const char *)bytes, len);
    struct slice pattern = slice_split(&subject, '\n');
    struct nats_ack ack;

    if (nats_subject_is_valid(pattern, false)) {
        ASSERT(nats_subject_is_valid(pattern, true));
        ASSERT(nats_subject_matches(pattern, pattern));
    }
    if (nats_name_is_valid(pattern))
        ASSERT(nats_subject_is_valid(pattern, false));
    ignore_result(nats_subject_matches(pattern, subject)); // must only come to an end
    if (nats_ack_parse(subject, &ack))
        ASSERT(ack.time_ns >= 0 && slice_starts_with(subject, SLICE_LITERAL("$JS.ACK.")));
    return 0;
}
