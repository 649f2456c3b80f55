// The application publishes, in every way there is.
#include <algorithm>
#include <cinttypes>

#include "sim/model.h"

namespace rstream::sim {

namespace {

void on_outcome(rstream_producer *, uint64_t id, int status, void *user) {
  auto &c = *static_cast<completion_model *>(user);
  producer_model &m = *c.producer;
  check_callback(*m.r, m.env, "on_outcome");
  check_completion(c, id, status);
  maybe_act(*m.r);
}

// By the second byte of the body's filling, so that it is the same whenever it is asked.
constexpr char filters[][5] = {"emea", "apac", "amer"};

int on_filter_value(const rstream_message *message, const char **value, size_t *size,
                    void *user) {
  auto &m = *static_cast<producer_model *>(user);
  SIM_CHECK(*m.r, m.r->in_call > 0, "on_filter_value came from outside any call");
  *value = filters[message->body_size % 3];
  *size = 4;
  return message->body_size % 4 != 0;
}

// A message on its way, with all it points to. Stays where it is.
struct made_message {
  std::vector<uint8_t> body;
  rstream_amqp_properties properties;
  rstream_amqp_sections sections;
  rstream_message message;
  message_model model;
};

void draw_sections(run &r, made_message &made) {
  rstream_amqp_properties_init(&made.properties);
  made.properties.message_id = rstream_amqp_ulong(random_below(r.chance, 1000));
  made.properties.subject = rstream_amqp_string("subject");
  rstream_amqp_sections_init(&made.sections);
  made.sections.properties = &made.properties;
  made.message.amqp = &made.sections;
  made.model.amqp = true;
}

bool merges(const producer_model &m) { return m.options.sub_entry_messages > 1; }

// What only a message can have, a bare body can't. `number` from 1.
void draw_extras(producer_model &m, made_message &made, uint32_t number, bool alone) {
  run &r = *m.r;
  if (random_chance(r.chance, 100)) draw_sections(r, made);
  if (random_chance(r.chance, 200)) {
    r.completions.push_back({&m, number});
    made.message.on_outcome = on_outcome;
    made.message.outcome_user = &r.completions.back();
    made.model.has_completion = true;
  }
  if (alone && !merges(m) && random_chance(r.chance, 100)) {
    made.message.filter_value = filters[random_below(r.chance, 3)];
    made.message.filter_value_size = 4;
  }
}

void make_message(producer_model &m, made_message &made, uint32_t number, uint64_t given,
                  bool alone) {
  run &r = *m.r;
  size_t bytes = random_below(r.chance, r.p.body_bytes_max + 1);
  if (random_chance(r.chance, 20)) bytes *= 20;
  fill_body(made.body, m.serial, number, bytes);
  rstream_message_init(&made.message);
  made.message.body = made.body.data();
  made.message.body_size = made.body.size();
  made.message.publishing_id = given;
  made.model.body_bytes = static_cast<uint32_t>(made.body.size());
  made.model.amqp = m.options.codec == RSTREAM_CODEC_AMQP;
  made.model.told_id = given ? given : number;
  if (random_chance(r.chance, 300)) draw_extras(m, made, number, alone);
}

uint64_t draw_given(producer_model &m, uint64_t last) {
  if (!m.options.ids_given) return 0;
  return last + 1 + (random_chance(m.r->chance, 200) ? random_below(m.r->chance, 5) : 0);
}

bool is_bare(const rstream_message &m) {
  return !m.amqp && !m.on_outcome && !m.filter_value && m.publishing_id == 0;
}

void took(producer_model &m, const made_message &made, uint64_t id) {
  SIM_CHECK(*m.r, id == made.model.told_id,
            "producer %u: message %" PRIu64 " got id %" PRIu64, m.serial,
            made.model.told_id, id);
  m.messages.push_back(made.model);
  m.last_given = made.message.publishing_id;
  m.r->report.messages_accepted++;
}

// Whether sending may go on after this refusal.
bool may_go_on(producer_model &m, int rc, bool filtered, bool array) {
  run &r = *m.r;
  if (rc == RSTREAM_EAGAIN) {
    SIM_CHECK(r, m.messages.size() > m.settled || m.env->has_budget,
              "producer %u: EAGAIN with nothing in flight", m.serial);
    m.wants_writable = true;
    r.report.windows_filled++;
    return false;
  }
  bool ended = rc == RSTREAM_ECLOSED && is_over(m);
  bool too_large = rc == RSTREAM_EMSGSIZE;
  bool no_filters =
      rc == RSTREAM_ENOTSUP && (filtered || m.options.on_filter_value != nullptr);
  bool two_at_once = rc == RSTREAM_EINVAL && array && m.options.on_filter_value;
  SIM_CHECK(r, ended || too_large || no_filters || two_at_once,
            "producer %u: sending: %s", m.serial, rstream_error_text(rc));
  return !ended;
}

bool send_one(producer_model &m) {
  run &r = *m.r;
  made_message made;
  auto number = static_cast<uint32_t>(m.messages.size() + 1);
  make_message(m, made, number, draw_given(m, m.last_given), true);
  const rstream_message &message = made.message;
  uint64_t id = 0;
  bool bare = is_bare(message) && random_chance(r.chance, 500);
  calling inside(r);
  int rc = bare ? rstream_producer_send_bytes(m.p, message.body, message.body_size, &id)
                : rstream_producer_send(m.p, &message, &id);
  if (rc < 0) return may_go_on(m, rc, message.filter_value, false);
  took(m, made, id);
  return true;
}

bool send_array(producer_model &m) {
  run &r = *m.r;
  made_message made[largest_array];
  rstream_message messages[largest_array];
  auto count = static_cast<uint32_t>(random_between(r.chance, 1, largest_array));
  bool as_sub_entry = random_chance(r.chance, 600);
  auto number = static_cast<uint32_t>(m.messages.size());
  uint64_t given = m.last_given;
  bool filtered = false;
  for (uint32_t i = 0; i < count; i++) {
    given = draw_given(m, given);
    make_message(m, made[i], number + 1 + i, given, !as_sub_entry);
    messages[i] = made[i].message;
    filtered |= messages[i].filter_value != nullptr;
  }
  auto compression = pick(r, {RSTREAM_COMPRESSION_NONE, RSTREAM_COMPRESSION_GZIP});
  uint64_t id = 0;
  calling inside(r);
  int rc = as_sub_entry
               ? rstream_producer_send_sub_entry(m.p, messages, count, compression, &id)
               : rstream_producer_send_many(m.p, messages, count, &id);
  if (rc < 0) return may_go_on(m, rc, filtered, true);
  uint32_t accepted = as_sub_entry ? count : static_cast<uint32_t>(rc);
  SIM_CHECK(r, accepted > 0 && accepted <= count, "producer %u: %u of %u were accepted",
            m.serial, accepted, count);
  for (uint32_t i = 0; i < accepted; i++)
    took(m, made[i], i == 0 ? id : made[i].model.told_id);
  if (accepted < count) m.may_be_writable = true;  // it does not tell why
  return true;
}

}  // namespace

bool is_over(const producer_model &m) {
  return m.ended || m.closing || rstream_producer_state(m.p) == RSTREAM_STATE_CLOSED;
}

void draw_producer_options(run &r, rstream_producer_options &o) {
  o.max_messages_in_flight = pick<uint32_t>(r, {0, 0, 1, 2, 10, 100});
  o.max_bytes_in_flight = pick<uint64_t>(r, {0, 0, 0, 2000});
  o.max_batch_messages = pick<uint32_t>(r, {0, 0, 1, 5});
  o.max_batch_bytes = pick<uint32_t>(r, {0, 0, 256, 4096});
  o.linger_ms = pick<uint32_t>(r, {0, 0, 1, 20});
  o.close_timeout_ms = pick<uint32_t>(r, {0, 1000, 20});
  o.codec = pick(r, {RSTREAM_CODEC_RAW, RSTREAM_CODEC_RAW, RSTREAM_CODEC_AMQP});
  o.confirm_timeout_ms = pick<uint32_t>(r, {0, 0, 0, 0, 0, 30, 300});
  o.confirm_timeout_off = random_chance(r.chance, 200);
  o.ids_given = o.name && random_chance(r.chance, 400);
  if (random_chance(r.chance, 300)) {
    o.sub_entry_messages = pick<uint32_t>(r, {2, 7, 100});
    o.compression = pick(r, {RSTREAM_COMPRESSION_NONE, RSTREAM_COMPRESSION_GZIP});
  } else if (random_chance(r.chance, 100)) {
    o.on_filter_value = on_filter_value;
  }
}

void send_some(producer_model &m, uint32_t count) {
  for (uint32_t i = 0; i < count && m.p; i++) {
    bool more = random_chance(m.r->chance, 100) ? send_array(m) : send_one(m);
    if (!more) return;
  }
}

}  // namespace rstream::sim
