#include "perf/publish.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <new>

#include "perf/body.h"

namespace perf {

namespace {

constexpr uint32_t unpaced_stamp_step = 64;
// Above this rate messages fall due together, each millisecond, instead of one by one.
constexpr uint64_t single_rate_most = 1000;
constexpr uint64_t grid_us = 1000;

void check_done(publish_load &load);

// Message `k` of a producer is message k * producers + index of all, and those are spread
// evenly.
uint64_t due_of(const publisher &p, uint64_t k) {
  const options &o = *p.load->opt;
  uint64_t after = (k * o.producers + p.index) * 1000000 / o.rate;
  if (o.rate > single_rate_most) after = (after + grid_us - 1) / grid_us * grid_us;
  return p.load->start_us + after;
}

// Marks message `sequence`, and those behind it that go out in the same breath.
void stamp(publisher &p, uint64_t sequence, uint64_t time_us) {
  publish_load &load = *p.load;
  uint32_t cut = static_cast<uint32_t>(time_us);
  if ((sequence & (load.stamp_step - 1)) == 0) {
    p.stamps[sequence >> load.stamp_shift & p.stamp_mask] = cut;
  }
  if (load.opt->verify) {
    verified_body_write(
        p.body, load.opt->size,
        {static_cast<uint32_t>(sequence), static_cast<uint8_t>(p.index), cut});
  } else if (load.opt->size >= plain_stamp_least) {
    plain_body_stamp(p.body, cut);
  }
}

void choose_filter(publisher &p, uint64_t sequence) {
  const options &o = *p.load->opt;
  const size_t choice = sequence % o.filter_values.count;
  const std::string_view &value = o.filter_values.values[choice];
  if (!o.verify && o.size >= plain_choice_least)
    plain_body_choose(p.body, static_cast<uint8_t>(choice));
  p.message.filter_value = value.data();
  p.message.filter_value_size = value.size();
}

// Send the messages from `sent` to `stop`, or as far as it goes, which `rc` tells, and
// return which one is next.
uint64_t send_filtered(publisher &p, uint64_t sent, uint64_t stop, int &rc) {
  for (; sent < stop; sent++) {
    choose_filter(p, sent);
    rc = rstream_producer_send(p.producer, &p.message, nullptr);
    if (rc != 0) break;
  }
  return sent;
}

uint64_t send_bare(const publisher &p, uint64_t sent, uint64_t stop, int &rc) {
  rstream_producer *producer = p.producer;
  const uint8_t *body = p.body;
  const size_t size = p.load->opt->size;
  int result = 0;
  for (; sent < stop; sent++) {
    result = rstream_producer_send_bytes(producer, body, size, nullptr);
    if (result != 0) break;
  }
  rc = result;
  return sent;
}

uint64_t send_super(publisher &p, uint64_t sent, uint64_t stop, int &rc) {
  rstream_super_producer *producer = p.super->producer;
  const uint8_t *body = p.body;
  const size_t size = p.load->opt->size;
  super_keys keys = p.super->keys;
  int result = 0;
  for (; sent < stop; sent++) {
    const routing_key &key = super_next_key(keys);
    result = rstream_super_producer_send_bytes(producer, body, size, key.text, key.size,
                                               nullptr);
    if (result != 0) break;
  }
  p.super->keys.next = keys.next;
  rc = result;
  return sent;
}

int send_one_super(publisher &p, uint64_t sequence, const routing_key &key,
                   uint64_t *id) {
  const options &o = *p.load->opt;
  rstream_super_producer *producer = p.super->producer;
  if (o.filter_values.count == 0)
    return rstream_super_producer_send_bytes(producer, p.body, o.size, key.text, key.size,
                                             id);
  choose_filter(p, sequence);
  return rstream_super_producer_send(producer, &p.message, key.text, key.size, id);
}

// The same where it may have to be known which message each was, or they have filter
// values.
uint64_t send_super_noted(publisher &p, uint64_t sent, uint64_t stop, int &rc) {
  super_publisher &super = *p.super;
  for (; sent < stop; sent++) {
    uint64_t id = 0;
    rc = send_one_super(p, sent, super_next_key(super.keys), &id);
    if (rc != 0) break;
    if (p.load->noted) super_note_id(super, id, sent);
  }
  return sent;
}

uint64_t send_some(publisher &p, uint64_t sent, uint64_t stop, int &rc) {
  const publish_load &load = *p.load;
  const bool filtered = load.opt->filter_values.count > 0;
  if (p.super != nullptr) {
    return load.noted || filtered ? send_super_noted(p, sent, stop, rc)
                                  : send_super(p, sent, stop, rc);
  }
  return filtered ? send_filtered(p, sent, stop, rc) : send_bare(p, sent, stop, rc);
}

// Sends as much as is allowed, and under --rate due. This is the loop that gets measured.
void fill(publisher &p) {
  publish_load &load = *p.load;
  const uint64_t now = load.paced ? now_us() : 0;
  const uint64_t step_mask = load.stamp_step - 1;
  uint64_t sent = p.sent;
  int rc = 0;
  while (rc == 0 && sent < p.quota) {
    uint64_t time_us = load.paced ? due_of(p, sent) : now_us();
    if (load.paced && time_us > now) break;
    stamp(p, sent, time_us);
    const uint64_t stop = std::min(p.quota, (sent | step_mask) + 1);
    sent = send_some(p, sent, stop, rc);
  }
  add(load.published, sent - p.sent);
  p.sent = sent;
  p.blocked = rc == RSTREAM_EAGAIN;
  if (rc != 0 && !p.blocked)
    worker_fail(load, "publishing: %s: %s", rstream_error_text(rc),
                rstream_env_error_text(load.env));
}

void pace(publish_load &load) {
  uint64_t next = UINT64_MAX;
  for (uint32_t i = 0; i < load.opt->producers && !load.failed; i++) {
    publisher &p = load.publishers[i];
    if (!p.blocked) fill(p);
    // A blocked one goes on in on_writable.
    if (!p.blocked && p.sent < p.quota) next = std::min(next, due_of(p, p.sent));
  }
  if (next == UINT64_MAX || load.stopping || load.failed) return;
  pacer_wake_at(load.pace, next);
}

void on_due(void *user) { pace(*static_cast<publish_load *>(user)); }

void go_on(publisher &p) {
  publish_load &load = *p.load;
  p.blocked = false;
  if (load.paced) {
    pace(load);
  } else {
    fill(p);
  }
}

void on_writable(rstream_producer *, void *user) {
  go_on(*static_cast<publisher *>(user));
}

void on_super_writable(rstream_super_producer *, void *user) {
  go_on(*static_cast<publisher *>(user));
}

// How far it is from ids[0] to the next message that was stamped. Ids mostly are
// consecutive, which spares looking at each.
size_t distance_to_stamped(const uint64_t *ids, size_t count, uint64_t step_mask) {
  uint64_t distance = (1 - ids[0]) & step_mask;  // ids begin at 1 and grow by 1
  uint64_t reach = std::min<uint64_t>(distance, count - 1);
  if (ids[reach] == ids[0] + reach) return reach == distance ? reach : count;
  return 1;
}

void record_confirmed(publisher &p, const rstream_confirms &confirms) {
  publish_load &load = *p.load;
  const uint32_t now = static_cast<uint32_t>(now_us());
  const uint64_t step_mask = load.stamp_step - 1;
  for (size_t i = 0; i < confirms.count; i++) {
    i += distance_to_stamped(confirms.ids + i, confirms.count - i, step_mask);
    if (i >= confirms.count) break;
    uint64_t sequence = confirms.ids[i] - 1;
    if ((sequence & step_mask) != 0) continue;
    histogram_add(load.confirm_latency,
                  now - p.stamps[sequence >> load.stamp_shift & p.stamp_mask]);
  }
  if (!load.opt->verify) return;
  for (size_t i = 0; i < confirms.count; i++) {
    uint64_t id = confirms.ids[i];
    if (id == 0 || id > p.sent) {
      worker_fail(load, "outcome for message %" PRIu64 ", which was never sent", id);
    } else if (sequence_add(p.confirmed, id - 1) != add_result::added) {
      worker_fail(load, "second outcome for message %" PRIu64 ", or out of memory", id);
    }
  }
}

uint64_t wanted_among(const publish_load &load, const rstream_confirms &confirms) {
  if (!load.opt->filter_exact) return confirms.count;
  uint64_t wanted = 0;
  for (size_t i = 0; i < confirms.count; i++) {
    if (wants_sequence(*load.opt, confirms.ids[i] - 1)) wanted++;
  }
  return wanted;
}

void on_confirm(rstream_producer *, const rstream_confirms *confirms, void *user) {
  publisher &p = *static_cast<publisher *>(user);
  publish_load &load = *p.load;
  if (confirms->status == 0) {
    // Of a super stream's ids nobody knows which messages they are, unless it was noted.
    if (p.super == nullptr || load.noted) record_confirmed(p, *confirms);
    add(load.confirmed, confirms->count);
    add(load.wanted, wanted_among(load, *confirms));
  } else {
    if (value_of(load.errored) == 0) {
      fprintf(stderr, "rstream-perf: messages were refused: %s\n",
              rstream_error_text(confirms->status));
    }
    add(load.errored, confirms->count);
  }
  p.settled += confirms->count;
  load.settled += confirms->count;
  check_done(load);
}

void on_super_confirm(rstream_super_producer *, const rstream_super_confirms *confirms,
                      void *user) {
  publisher &p = *static_cast<publisher *>(user);
  rstream_confirms told = {};
  told.struct_size = sizeof told;
  told.status = confirms->status;
  uint64_t ids[256];
  for (size_t done = 0; done < confirms->count; done += told.count) {
    told.count = std::min(confirms->count - done, std::size(ids));
    told.ids = confirms->ids + done;
    if (p.load->noted) {
      super_translate_ids(*p.super, told.ids, told.count, ids);
      told.ids = ids;
    }
    on_confirm(nullptr, &told, user);
  }
}

void check_done(publish_load &load) {
  if (stage_of(load) != stage::running) return;
  if (load.settled < value_of(load.published)) return;
  for (uint32_t i = 0; i < load.opt->producers; i++) {
    const publisher &p = load.publishers[i];
    if (p.sent < p.quota || p.settled < p.sent) return;
  }
  worker_finish(load);
}

void send_no_more(publish_load &load) {
  for (uint32_t i = 0; i < load.opt->producers; i++) {
    load.publishers[i].quota = load.publishers[i].sent;
  }
}

void on_deadline(uv_timer_t *timer) {
  publish_load &load = *static_cast<publish_load *>(timer->data);
  send_no_more(load);
  check_done(load);
}

void on_end_early(rstream_env *, void *arg) {
  publish_load &load = *static_cast<publish_load *>(arg);
  send_no_more(load);
  check_done(load);
}

void begin(publish_load &load) {
  worker_clock(load);
  worker_run(load);
  if (load.opt->time_s > 0) {
    uv_timer_start(&load.deadline, on_deadline, load.opt->time_s * UINT64_C(1000), 0);
  }
  if (load.paced) {
    pace(load);
    return;
  }
  for (uint32_t i = 0; i < load.opt->producers; i++) fill(load.publishers[i]);
  check_done(load);  // there may be nothing to do
}

void state_changed(publisher &p, const rstream_state *state) {
  publish_load &load = *p.load;
  if (state->state == RSTREAM_STATE_CLOSED) {
    worker_fail(load, "producer: %s", state->text);
    return;
  }
  if (state->state != RSTREAM_STATE_OPEN || p.open) return;
  p.open = true;
  if (++load.open_count == load.opt->producers && !load.stopping) begin(load);
}

void on_state(rstream_producer *, const rstream_state *state, void *user) {
  state_changed(*static_cast<publisher *>(user), state);
}

void on_super_state(rstream_super_producer *, const rstream_state *state, void *user) {
  state_changed(*static_cast<publisher *>(user), state);
}

uint64_t quota_of(const options &o, uint32_t index) {
  if (o.time_s > 0) return o.verify ? verified_sequences_most : UINT64_MAX;
  return o.messages / o.producers + (index < o.messages % o.producers ? 1 : 0);
}

bool publisher_init(publisher &p, publish_load &load, uint32_t index) {
  const options &o = *load.opt;
  p.load = &load;
  p.index = index;
  p.quota = quota_of(o, index);
  // One more than may be in flight: the next message is stamped before it is accepted.
  uint64_t stamps = std::bit_ceil(uint64_t{o.confirms} / load.stamp_step + 2);
  p.stamp_mask = stamps - 1;
  p.stamps = static_cast<uint32_t *>(calloc(stamps, sizeof *p.stamps));
  p.body = static_cast<uint8_t *>(malloc(o.size + 1));
  if (p.stamps == nullptr || p.body == nullptr) return false;
  plain_body_fill(p.body, o.size, load.run);
  if (o.super_stream != nullptr) {
    p.super = new (std::nothrow) super_publisher;
    if (p.super == nullptr) return false;
    super_keys_init(*p.super, o);
  }
  rstream_message_init(&p.message);
  p.message.body = p.body;
  p.message.body_size = o.size;
  return true;
}

int super_producer_open(publisher &p, const rstream_producer_options &po) {
  publish_load &load = *p.load;
  rstream_super_producer_options so;
  rstream_super_producer_options_init(&so);
  so.super_stream = load.opt->super_stream;
  so.producer = &po;
  so.routing = load.opt->routing;
  so.on_confirm = on_super_confirm;
  so.on_writable = on_super_writable;
  so.on_state = on_super_state;
  so.user = &p;
  return rstream_super_producer_open(&p.super->producer, load.env, &so);
}

int producer_open(publisher &p) {
  publish_load &load = *p.load;
  const options &o = *load.opt;
  handle_name name = {};
  if (o.name != nullptr) name = numbered_name(o.name, o.producers, p.index);
  rstream_producer_options po;
  rstream_producer_options_init(&po);
  po.name = o.name != nullptr ? name.text : nullptr;
  po.max_messages_in_flight = o.confirms;
  po.max_batch_messages = o.batch_size;
  po.max_batch_bytes = o.batch_bytes;
  po.linger_ms = o.linger_ms;
  po.codec = o.codec;
  po.sub_entry_messages = o.sub_entry;
  po.compression = o.compression;
  po.close_timeout_ms = 5000;
  if (p.super != nullptr) return super_producer_open(p, po);
  po.stream = o.stream;
  po.on_confirm = on_confirm;
  po.on_writable = on_writable;
  po.on_state = on_state;
  po.user = &p;
  return rstream_producer_open(&p.producer, load.env, &po);
}

void publish_open(worker &w) {
  publish_load &load = static_cast<publish_load &>(w);
  int rc = uv_timer_init(&load.loop, &load.deadline);
  load.deadline.data = &load;
  load.deadline_open = rc == 0;
  if (rc == 0 && load.paced) rc = pacer_init(load.pace, &load.loop, on_due, &load);
  if (rc != 0) {
    worker_fail(load, "timer: %s", rstream_error_text(rc));
    return;
  }
  for (uint32_t i = 0; i < load.opt->producers && !load.failed; i++) {
    rc = producer_open(load.publishers[i]);
    if (rc != 0)
      worker_fail(load, "opening a producer: %s", rstream_env_error_text(load.env));
  }
}

void publish_stop(worker &w) {
  publish_load &load = static_cast<publish_load &>(w);
  load.stopping = true;
  send_no_more(load);
  pacer_close(load.pace);
  if (load.deadline_open)
    uv_close(reinterpret_cast<uv_handle_t *>(&load.deadline), nullptr);
}

}  // namespace

bool publish_start(publish_load &load, const options &o, uint32_t run) {
  load.opt = &o;
  load.run = run;
  load.open = publish_open;
  load.stop = publish_stop;
  load.paced = o.rate > 0;
  load.stamp_step = o.rate > 0 || o.verify ? 1 : unpaced_stamp_step;
  load.stamp_shift = static_cast<uint32_t>(std::countr_zero(load.stamp_step));
  load.noted = load.stamp_step == 1 || o.filter_exact;
  load.publishers =
      static_cast<publisher *>(calloc(o.producers, sizeof *load.publishers));
  bool enough = load.publishers != nullptr;
  for (uint32_t i = 0; enough && i < o.producers; i++) {
    load.publishers[i] = publisher();
    enough = publisher_init(load.publishers[i], load, i);
  }
  if (!enough) worker_fail(load, "out of memory");
  return enough && worker_start(load, "rstream-perf publish");
}

void publish_end_early(publish_load &load) {
  if (rstream_env_post(load.env, on_end_early, &load) != 0) {
    fputs("rstream-perf: can't reach the producers\n", stderr);
  }
}

void publish_release(publish_load &load) {
  for (uint32_t i = 0; load.publishers != nullptr && i < load.opt->producers; i++) {
    delete load.publishers[i].super;
    free(load.publishers[i].stamps);
    free(load.publishers[i].body);
    sequence_release(load.publishers[i].confirmed);
  }
  free(load.publishers);
  load.publishers = nullptr;
}

}  // namespace perf
