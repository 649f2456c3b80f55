// From a message to the producer of its partition.
#include "client/producer_internal.h"
#include "client/super_producer_internal.h"

namespace rstream {

namespace {

constexpr size_t most_key_bytes = UINT16_MAX;
constexpr size_t most_broker_key_bytes = 255;  // of Route

size_t key_limit(const super_producer *s) {
  bool asks = s->options.routing == RSTREAM_ROUTING_KEY && !s->options.on_route;
  return asks ? most_broker_key_bytes : most_key_bytes;
}

// False when the message has no key: it has no route either.
bool find_key(super_producer *s, const rstream_message &m, std::string_view &key) {
  if (key.data()) return true;
  const char *found = nullptr;
  size_t bytes = 0;
  if (!s->options.on_routing_key(&m, &found, &bytes, s->options.user)) return false;
  key = {found ? found : "", found ? bytes : 0};
  return true;
}

int check_key(super_producer *s, std::string_view key) {
  if (key.size() <= key_limit(s)) return 0;
  return env_error(s->env, RSTREAM_EINVAL, "a routing key of %zu bytes, at most %zu",
                   key.size(), key_limit(s));
}

// Frames that linger have nothing to wait for when nothing more can be sent.
void send_open_frames(super_producer *s) {
  if (s->producer_options.linger_ms == 0) return;
  super_each(s, [](super_partition *part) {
    if (!part->link || part->leaving) return;
    producer_seal(part->link);
    producer_pump(part->link);
  });
}

// Whether all that matters about a bare body is its key, and nothing waits.
void find_straight_way(super_producer *s) {
  const rstream_producer_options &o = s->producer_options;
  s->straight = s->phase == super_phase::open && s->accepting && !s->first_waiting &&
                s->count > 0 && !s->options.on_route && !o.ids_given &&
                !o.on_filter_value && s->options.routing != RSTREAM_ROUTING_PYTHON_HASH;
  if (s->straight) memo_show(s->memo);
}

// Small bodies are sent by counting them alone: their bytes are set aside beforehand.
constexpr uint64_t small_cost = small_body + bare_overhead;

void set_aside(super_producer *s) {
  uint64_t count = s->bytes_left / small_cost;
  if (count > s->messages_left) count = s->messages_left;
  s->small_left = static_cast<int64_t>(count);
  s->messages_left -= count;
  s->bytes_left -= count * small_cost;
}

void take_back(super_producer *s) {
  uint64_t count = s->small_left > 0 ? static_cast<uint64_t>(s->small_left) : 0;
  s->messages_left += count;
  s->bytes_left += count * small_cost;
  s->small_left = 0;
}

// How much may be sent until somebody has to look again.
bool find_room(super_producer *s, uint64_t count, uint64_t wanted_bytes) {
  uint64_t messages = super_in_flight(s);
  uint64_t bytes = super_bytes_in_flight(s);
  const rstream_producer_options &o = s->producer_options;
  bool room = messages == 0 || (messages + count <= o.max_messages_in_flight &&
                                bytes + wanted_bytes <= o.max_bytes_in_flight);
  s->messages_left = 0;
  if (!room) {
    s->window_full = true;
    send_open_frames(s);
    return false;
  }
  if (messages < o.max_messages_in_flight && bytes < o.max_bytes_in_flight) {
    s->messages_left = o.max_messages_in_flight - messages;
    s->bytes_left = o.max_bytes_in_flight - bytes;
  }
  return true;
}

bool has_room(super_producer *s, uint64_t count, uint64_t bytes) {
  take_back(s);
  if (s->messages_left >= count && bytes <= s->bytes_left) return true;
  return find_room(s, count, bytes);
}

// One partition, whose order nothing that waits can disturb.
bool goes_straight(const super_producer *s, const route_answer &route) {
  return route.verdict == route_verdict::found && route.count == 1 && !s->first_waiting &&
         !route.one->reason && !route.one->leaving;
}

// Of a sub-entry that got closed and packed, bytes may have come back.
void book_sent(super_producer *s, const producer *link, uint64_t count,
               uint64_t bytes_before) {
  uint64_t bytes = link->bytes_in_flight;
  super_book(s, count, bytes > bytes_before ? bytes - bytes_before : 0);
}

int send_straight(super_producer *s, super_partition *part, const rstream_message &m,
                  uint64_t *id) {
  producer *link = nullptr;
  int rc = super_link(part, &link);
  if (rc < 0) return rc;
  uint64_t bytes_before = link->bytes_in_flight;
  rc = producer_send(link, m, id);
  if (rc < 0) return rc;
  if (s->producer_options.ids_given) s->last_given = m.publishing_id;
  book_sent(s, link, 1, bytes_before);
  return 0;
}

// ---- sub-entries that the application makes

int wait_for_route(super_producer *s) {
  s->window_full = true;  // told like that
  return RSTREAM_EAGAIN;
}

// The producer of the one partition that a sub-entry goes to.
int link_of_key(super_producer *s, std::string_view key, producer **link) {
  if (s->first_waiting) return wait_for_route(s);
  route_answer route = super_route(s, key);
  if (route.verdict == route_verdict::asked) return wait_for_route(s);
  if (route.count == 1) return super_link(route.one, link);
  if (route.count == 0) return route.status ? route.status : RSTREAM_ENOROUTE;
  return env_error(s->env, RSTREAM_ENOTSUP, "a sub-entry can't go to several partitions");
}

// The bodies, and what is around them at most.
bool sub_entry_bytes(const message_array &messages, uint64_t &bytes) {
  bytes = wire::publish_sub_batch_overhead;
  for (size_t i = 0; i < messages.count; i++) {
    message_storage storage;
    const rstream_message *m = message_at(messages, i, storage);
    if (!m) return false;
    bytes += m->body_size + record_overhead;
  }
  return true;
}

}  // namespace

uint64_t super_in_flight(const super_producer *s) {
  uint64_t messages = s->letters_out;
  super_each(s, [&](const super_partition *part) {
    if (part->link) messages += producer_in_flight(part->link);
  });
  return messages - s->copies_out;
}

uint64_t super_bytes_in_flight(const super_producer *s) {
  uint64_t bytes = s->waiting_bytes;
  super_each(s, [&](const super_partition *part) {
    if (part->link) bytes += part->link->bytes_in_flight;
  });
  return bytes;
}

int super_send(super_producer *s, const rstream_message &m, std::string_view key,
               uint64_t *id) {
  if (!s->accepting) return RSTREAM_ECLOSED;
  int rc = message_check(s->env, s->producer_options, m, s->last_given);
  if (rc < 0) return rc;
  bool has_key = find_key(s, m, key);
  rc = has_key ? check_key(s, key) : 0;
  if (rc < 0) return rc;
  if (!has_room(s, 1, m.body_size + bare_overhead)) return RSTREAM_EAGAIN;
  if (!s->straight) find_straight_way(s);
  route_answer route;
  route.verdict = route_verdict::found;  // of a message without a key: none
  if (has_key) route = super_route(s, key);
  if (goes_straight(s, route)) return send_straight(s, route.one, m, id);
  return letter_post(s, m, key, has_key, route, id);
}

int super_send_to(super_producer *s, producer *link, const void *body, size_t body_size,
                  uint64_t *id) {
  if (body_size <= small_body && s->small_left > 0) {
    s->small_left--;
    return producer_send_body(link, body, body_size, id);
  }
  if (!has_room(s, 1, body_size + bare_overhead)) return RSTREAM_EAGAIN;
  uint64_t bytes_before = link->bytes_in_flight;
  int rc = producer_send_body(link, body, body_size, id);
  if (rc < 0) return rc;
  book_sent(s, link, 1, bytes_before);
  if (body_size <= small_body) set_aside(s);
  return 0;
}

int super_send_longer(super_producer *s, const void *body, size_t body_size,
                      std::string_view key, uint64_t *id) {
  if (!key_is_medium(key.size())) return super_send_body(s, body, body_size, key, id);
  return super_send_by(s, body, body_size, key, medium_key_number(key), id);
}

int super_send_body(super_producer *s, const void *body, size_t body_size,
                    std::string_view key, uint64_t *id) {
  bool may = s->straight && key.data() && (body || body_size == 0);
  producer *link = may ? super_known_link(s, key) : nullptr;
  if (link) return super_send_to(s, link, body, body_size, id);
  rstream_message m{};
  m.struct_size = sizeof m;
  m.body = body;
  m.body_size = body_size;
  return super_send(s, m, key, id);
}

int super_send_sub_entry(super_producer *s, const message_array &messages,
                         uint8_t compression, std::string_view key, uint64_t *first_id) {
  if (!s->accepting) return RSTREAM_ECLOSED;
  message_storage first, last;
  uint64_t bytes;
  if (!sub_entry_bytes(messages, bytes)) return RSTREAM_EINVAL;
  const rstream_message &m = *message_at(messages, 0, first);
  int rc = message_check(s->env, s->producer_options, m, s->last_given);
  if (rc < 0) return rc;
  if (!find_key(s, m, key)) return RSTREAM_ENOROUTE;
  rc = check_key(s, key);
  if (rc < 0) return rc;
  if (!has_room(s, messages.count, bytes)) return RSTREAM_EAGAIN;
  producer *link = nullptr;
  rc = link_of_key(s, key, &link);
  if (rc < 0) return rc;
  uint64_t bytes_before = link->bytes_in_flight;
  rc = producer_send_sub_entry(link, messages, compression, first_id);
  if (rc < 0) return rc;
  book_sent(s, link, messages.count, bytes_before);
  if (s->producer_options.ids_given)
    s->last_given = message_at(messages, messages.count - 1, last)->publishing_id;
  return 0;
}

void super_replace_completion(super_producer *s, uint64_t id, void *user,
                              rstream_outcome_cb on_outcome, void *new_user) {
  if (letter_replace_completion(s, user, on_outcome, new_user)) return;
  super_each(s, [&](super_partition *part) {
    if (part->link) producer_replace_completion(part->link, id, on_outcome, new_user);
  });
}

void super_not_straight(super_producer *s) {
  s->straight = false;
  memo_hide(s->memo);
}

void super_book(super_producer *s, uint64_t messages, uint64_t bytes) {
  s->messages_left -= messages < s->messages_left ? messages : s->messages_left;
  s->bytes_left -= bytes < s->bytes_left ? bytes : s->bytes_left;
}

void super_deliver(super_producer *s) {
  if (s->delivering) return;
  s->delivering = true;
  while (s->first_waiting && letter_deliver(s->first_waiting)) {
  }
  s->delivering = false;
}

}  // namespace rstream
