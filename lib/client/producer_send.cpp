// From a message to an entry of the frame being filled.
#include <cinttypes>

#include "client/env.h"
#include "client/producer_internal.h"

namespace rstream {

namespace {

constexpr size_t max_filter_bytes = INT16_MAX;  // the protocol's length of a string

int refuse_size(env *e, uint64_t bytes, uint32_t frame_limit) {
  return env_error(e, RSTREAM_EMSGSIZE,
                   "a message of %" PRIu64 " bytes does not fit a frame of %u bytes",
                   bytes, frame_limit);
}

bool broker_filters(const producer *p) {
  const conn *link = member_conn(p->member);
  return p->phase != producer_phase::open || !link ||
         conn_supports(link, wire::key::publish, 2);
}

int check_filter(producer *p, std::string_view filter) {
  int rc = filter_check(p->env, p->options, filter);
  if (rc < 0) return rc;
  if (!broker_filters(p))
    return env_error(p->env, RSTREAM_ENOTSUP, "this broker has no filtering");
  return 0;
}

int check_publishing_id(env *e, bool ids_given, uint64_t publishing_id,
                        uint64_t last_given) {
  if (!ids_given) {
    if (publishing_id == 0) return 0;
    return env_error(e, RSTREAM_EINVAL,
                     "a publishing id is given, but the producer has no ids_given");
  }
  if (publishing_id > last_given) return 0;
  return env_error(e, RSTREAM_EINVAL,
                   "publishing id %" PRIu64 " is not above %" PRIu64 ", the last one",
                   publishing_id, last_given);
}

// Publish v2 has the filter's length and bytes between id and body.
size_t overhead_of(frame_kind kind, std::string_view filter) {
  return kind == frame_kind::filtered
             ? wire::publish_filtered_entry_overhead + filter.size()
             : wire::publish_entry_overhead;
}

// An entry without filter value also goes into a frame with them, not the reverse. What
// it takes there is a little more.
bool frame_takes(const producer *p, std::string_view filter) {
  if (!p->open_batch) return false;
  return !filter.data() || p->open_batch->version == 2;
}

frame_kind kind_at_hand(const producer *p) {
  return p->open_batch->version == 2 ? frame_kind::filtered : frame_kind::plain;
}

bool fits_frame(const producer *p, uint64_t entry_bytes) {
  return wire::publish_header_bytes + entry_bytes <= p->frame_limit;
}

// Of a new frame for this entry. Where some messages have filter values, the next one
// may, and one frame for both is better.
frame_kind kind_of_next(const producer *p, std::string_view filter, uint64_t content) {
  if (filter.data()) return frame_kind::filtered;
  bool filtered =
      p->filtering && fits_frame(p, overhead_of(frame_kind::filtered, {}) + content);
  return filtered ? frame_kind::filtered : frame_kind::plain;
}

uint8_t *write_header(producer *p, frame_kind kind, const rstream_message &m,
                      std::string_view filter, size_t content_bytes) {
  uint64_t id = producer_publishing_id(p, m);
  auto bytes = static_cast<uint32_t>(content_bytes);
  return kind == frame_kind::filtered
             ? wire::write_filtered_entry_header(p->at, id, filter, bytes)
             : wire::write_entry_header(p->at, id, bytes);
}

void take(producer *p, const rstream_message &m, uint8_t *end, uint64_t *id) {
  producer_book(p, m);
  producer_took(p, end, id);
  if (id && p->options.ids_given) *id = m.publishing_id;
}

// The usual case of a message with sections: one pass, straight to where it stays. False,
// with nothing changed, when there is no frame for it or no room in it.
bool add_in_place(producer *p, const rstream_message &m, std::string_view filter,
                  const content &c, uint64_t *id) {
  if (!frame_takes(p, filter)) return false;
  frame_kind kind = kind_at_hand(p);
  size_t overhead = overhead_of(kind, filter);
  if (static_cast<size_t>(p->limit - p->at) < overhead) return false;
  wire::writer w = wire::writer_of({p->at + overhead, p->limit});
  amqp_encode(w, *c.sections, c.body);
  if (w.failed || !producer_window_has_room(p, overhead + w.written, 1)) return false;
  uint8_t *body = write_header(p, kind, m, filter, w.written);
  take(p, m, body + w.written, id);
  return true;
}

bool fits_at_hand(const producer *p, std::string_view filter, uint64_t content) {
  return frame_takes(p, filter) && overhead_of(kind_at_hand(p), filter) + content <=
                                       static_cast<size_t>(p->limit - p->at);
}

int add_entry(producer *p, const rstream_message &m, std::string_view filter,
              const content &c, uint64_t *id) {
  frame_kind kind = kind_of_next(p, filter, c.bytes);
  uint64_t entry_bytes = overhead_of(kind, filter) + uint64_t{c.bytes};
  if (!fits_frame(p, entry_bytes)) return refuse_size(p->env, c.bytes, p->frame_limit);
  if (!producer_window_has_room(p, entry_bytes, 1)) return producer_window_is_full(p);
  if (fits_at_hand(p, filter, c.bytes)) {
    kind = kind_at_hand(p);
  } else {
    producer_seal(p);
    producer_pump(p);
    int rc = producer_open_frame(p, entry_bytes, 1, kind);
    if (rc < 0) return rc;
  }
  if (filter.data()) p->filtering = true;
  uint8_t *body = write_header(p, kind, m, filter, c.bytes);
  take(p, m, content_write(body, c), id);
  return 0;
}

}  // namespace

int content_measure(env *e, rstream_codec codec, uint32_t frame_limit,
                    const rstream_message &m, content &c) {
  c.body = {static_cast<const uint8_t *>(m.body), m.body_size};
  c.amqp = codec == RSTREAM_CODEC_AMQP;
  c.sections = m.amqp;
  if (m.body_size >= max_inline_body) return refuse_size(e, m.body_size, frame_limit);
  if (!m.amqp) {
    c.bytes = m.body_size + (c.amqp ? amqp_data_header_bytes(m.body_size) : 0);
    return 0;
  }
  wire::writer w = wire::counting_writer();
  amqp_encode(w, *m.amqp, c.body);
  c.bytes = w.written;
  bool fits = !w.failed && c.bytes < max_inline_body;
  return fits ? 0 : refuse_size(e, c.bytes, frame_limit);
}

int content_of(producer *p, const rstream_message &m, content &c) {
  rstream_codec codec = p->encoded ? RSTREAM_CODEC_RAW : p->options.codec;
  return content_measure(p->env, codec, p->frame_limit, m, c);
}

uint8_t *content_write(uint8_t *to, const content &c) {
  if (c.sections) {
    wire::writer w = wire::writer_of({to, c.bytes});
    amqp_encode(w, *c.sections, c.body);
    return to + w.written;
  }
  if (c.amqp) to = amqp_write_data_header(to, c.body.size());
  copy_body(to, c.body.data(), c.body.size());
  return to + c.body.size();
}

bool producer_window_has_room(const producer *p, uint64_t bytes, uint32_t messages) {
  if (producer_in_flight(p) == 0) return true;  // one message always fits
  return p->next_id + messages <= p->window_end_id &&
         p->bytes_in_flight + bytes <= p->options.max_bytes_in_flight;
}

int producer_window_is_full(producer *p) {
  p->window_full = true;
  // There is nothing left that a frame could linger for.
  if (p->options.linger_ms > 0) {
    producer_seal(p);
    producer_pump(p);
  }
  return RSTREAM_EAGAIN;
}

int producer_filter_of(producer *p, const rstream_message &m, std::string_view &filter) {
  const char *value = m.filter_value;
  size_t bytes = m.filter_value_size;
  if (!value && !p->encoded && p->options.on_filter_value &&
      !p->options.on_filter_value(&m, &value, &bytes, p->options.user)) {
    return 0;
  }
  if (!value || bytes == 0) return 0;
  filter = {value, bytes};
  return check_filter(p, filter);
}

int producer_reserve_books(producer *p, const rstream_message &m) {
  memory &mem = env_memory(p->env);
  if (m.on_outcome && !ring_reserve(mem, p->completions, 1)) return RSTREAM_ENOMEM;
  if (p->options.ids_given && !ring_reserve(mem, p->given_ids, 1)) return RSTREAM_ENOMEM;
  return 0;
}

void producer_book(producer *p, const rstream_message &m) {
  if (m.on_outcome) {
    p->completions.count++;
    p->completions.back() = {p->next_id, m.on_outcome, m.outcome_user};
  }
  if (p->options.ids_given) {
    p->given_ids.count++;
    p->given_ids.back() = p->last_given = m.publishing_id;
  }
}

int filter_check(env *e, const rstream_producer_options &o, std::string_view filter) {
  if (o.sub_entry_messages > 1)
    return env_error(e, RSTREAM_EINVAL, "sub-entries can't have filter values");
  if (filter.size() > max_filter_bytes)
    return env_error(e, RSTREAM_EINVAL, "a filter value of %zu bytes, at most %zu",
                     filter.size(), max_filter_bytes);
  return 0;
}

int message_check(env *e, const rstream_producer_options &o, const rstream_message &m,
                  uint64_t last_given) {
  if (!m.body && m.body_size)
    return env_error(e, RSTREAM_EINVAL, "a message without its body");
  if (m.amqp) {
    const char *why = nullptr;
    if (amqp_check(*m.amqp, &why) < 0) return env_error(e, RSTREAM_EINVAL, "%s", why);
    if (m.body_size && m.amqp->body_type != RSTREAM_AMQP_BODY_DATA)
      return env_error(e, RSTREAM_EINVAL, "a body beside the one of the sections");
  }
  return check_publishing_id(e, o.ids_given, m.publishing_id, last_given);
}

int producer_check_message(producer *p, const rstream_message &m, uint64_t last_given) {
  if (!p->accepting) return RSTREAM_ECLOSED;
  return message_check(p->env, p->options, m, last_given);
}

int producer_send_elsewhere(producer *p, const void *body, size_t body_size,
                            uint64_t *id) {
  rstream_message m{};
  m.struct_size = sizeof m;
  m.body = body;
  m.body_size = body_size;
  return producer_send(p, m, id);
}

int producer_send(producer *p, const rstream_message &m, uint64_t *id) {
  std::string_view filter;
  int rc = producer_check_message(p, m, p->last_given);
  if (rc == 0) rc = producer_filter_of(p, m, filter);
  if (rc == 0) rc = producer_reserve_books(p, m);
  if (rc < 0) return rc;
  bool merges = p->options.sub_entry_messages > 1;
  content c;
  c.body = {static_cast<const uint8_t *>(m.body), m.body_size};
  c.sections = m.amqp;
  if (m.amqp && !merges && add_in_place(p, m, filter, c, id)) return 0;
  rc = content_of(p, m, c);
  if (rc < 0) return rc;
  return merges ? sub_entry_add(p, m, c, id) : add_entry(p, m, filter, c, id);
}

int producer_send_body(producer *p, const void *body, size_t body_size, uint64_t *id) {
  return producer_send_bare(p, body, body_size, id);
}

int producer_send_encoded(producer *p, const rstream_message &m, uint64_t *id) {
  p->encoded = true;
  int rc = producer_send(p, m, id);
  p->encoded = false;
  return rc;
}

}  // namespace rstream
