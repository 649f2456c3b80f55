// Chunks that are not handed out, or should not have been, and what is done about them.
#include "client/consumer_internal.h"
#include "client/env.h"

namespace rstream {

namespace {

constexpr uint32_t most_bad_attempts = 3;

rstream_bad_chunk action_for(consumer *c, uint64_t offset) {
  if (c->options.bad_chunk != RSTREAM_BAD_CHUNK_RESUBSCRIBE) return c->options.bad_chunk;
  if (c->bad_attempts > 0 && c->bad_offset != offset) c->bad_attempts = 0;
  c->bad_offset = offset;
  return c->bad_attempts++ < most_bad_attempts ? RSTREAM_BAD_CHUNK_RESUBSCRIBE
                                               : RSTREAM_BAD_CHUNK_END;
}

// What comes behind all that was received, as far as that is known.
uint64_t expected_offset(const consumer *c) {
  if (list_empty(c->waiting)) return c->skip_below;
  const rstream_chunk *last = RSTREAM_OWNER(c->waiting.prev, rstream_chunk, node);
  return last->header.first_offset + last->header.record_count;
}

// `next` is the first message that is to come again.
void handle(consumer *c, int status, const chunk_header *header, uint64_t next,
            const char *text) {
  c->stats.chunks_bad++;
  rstream_chunk_error error{sizeof error,
                            status,
                            header ? header->first_offset : expected_offset(c),
                            header ? header->record_count : 0,
                            RSTREAM_BAD_CHUNK_END,
                            text};
  error.action = action_for(c, error.first_offset);
  log_line(c->env->log, log_level::error, "consumer on %s: at offset %llu: %s", c->stream,
           static_cast<unsigned long long>(error.first_offset), text);
  if (c->options.on_chunk_error) c->options.on_chunk_error(c, &error, c->options.user);
  if (!consumer_wants_messages(c)) return;
  switch (error.action) {
  case RSTREAM_BAD_CHUNK_RESUBSCRIBE:
    c->skip_below = next;
    flow_resubscribe(c, chunk_resume_point(c, header));
    break;
  case RSTREAM_BAD_CHUNK_SKIP: flow_dropped(c); break;
  case RSTREAM_BAD_CHUNK_END: consumer_end(c, status, text); break;
  }
}

}  // namespace

wire::offset_spec chunk_resume_point(const consumer *c, const chunk_header *header) {
  bool nothing_yet = c->skip_below == 0 && !consumer_began_for_good(c);
  return header && nothing_yet ? wire::offset_at(header->first_offset)
                               : consumer_resume_point(c);
}

void chunk_found_good(consumer *c, const chunk_header &header) {
  // Those before one that stays bad come again with it.
  if (header.first_offset >= c->bad_offset) c->bad_attempts = 0;
  recovery_works(c->recovery);
}

void chunk_found_malformed(consumer *c) {
  handle(c, RSTREAM_EPROTO, nullptr, c->skip_below, "a chunk's header is malformed");
}

void chunk_found_damaged(consumer *c, const chunk_header &header, uint64_t next) {
  handle(c, RSTREAM_ECHECKSUM, &header, next, "a chunk's CRC-32 does not match");
}

bool chunk_drop_late(consumer *c) {
  bool stopping = flow_is_stopping(c);
  if (c->active && !stopping) return false;
  c->stats.chunks_dropped++;
  if (!stopping) flow_dropped(c);
  return true;
}

bool chunk_drop_unwanted(consumer *c, const slab *owner, const chunk_header &header) {
  if (header.type != chunk_type_user) {
    flow_dropped(c);  // the broker's own book-keeping
    return true;
  }
  if (flow_has_room(c, owner)) return false;
  c->stats.chunks_dropped++;
  flow_resubscribe(c, chunk_resume_point(c, &header));
  return true;
}

}  // namespace rstream
