// Producers and consumers by the thousand, that are counted instead of keeping logs.
#pragma once

#include <string>
#include <vector>

#include "rstream/rstream.h"

namespace rstream::test {

struct crowd {
  rstream_env *env = nullptr;
  std::string stream = "invoices";
  std::vector<rstream_producer *> producers;
  std::vector<rstream_consumer *> consumers;
  size_t producers_open = 0;  // became so, ever; likewise below
  size_t consumers_open = 0;
  size_t ended = 0;  // by themselves
  size_t closed = 0;
  size_t confirmed = 0;
  size_t messages = 0;
  std::string text;  // why the last one ended

  static crowd *of(void *user) { return static_cast<crowd *>(user); }
  void note(const rstream_state &state, size_t &opened) {
    if (state.state == RSTREAM_STATE_OPEN) opened++;
    if (state.state != RSTREAM_STATE_CLOSED) return;
    ended++;
    text = state.text;
  }
  static void on_producer_closed(rstream_producer *, int, void *user) {
    of(user)->closed++;
  }
  static void on_consumer_closed(rstream_consumer *, int, void *user) {
    of(user)->closed++;
  }

  // These return 0, or the first error.
  int add_producers(size_t count) {
    rstream_producer_options o;
    rstream_producer_options_init(&o);
    o.stream = stream.c_str();
    o.user = this;
    o.on_state = [](rstream_producer *, const rstream_state *state, void *user) {
      of(user)->note(*state, of(user)->producers_open);
    };
    o.on_confirm = [](rstream_producer *, const rstream_confirms *c, void *user) {
      if (c->status == 0) of(user)->confirmed += c->count;
    };
    for (size_t i = 0; i < count; i++) {
      rstream_producer *p = nullptr;
      if (int rc = rstream_producer_open(&p, env, &o); rc < 0) return rc;
      producers.push_back(p);
    }
    return 0;
  }
  int add_consumers(size_t count) {
    rstream_consumer_options o;
    rstream_consumer_options_init(&o);
    o.stream = stream.c_str();
    o.offset_type = RSTREAM_OFFSET_FIRST;
    o.user = this;
    o.on_state = [](rstream_consumer *, const rstream_state *state, void *user) {
      of(user)->note(*state, of(user)->consumers_open);
    };
    o.on_message = [](rstream_consumer *, const rstream_message_view *, void *user) {
      of(user)->messages++;
    };
    for (size_t i = 0; i < count; i++) {
      rstream_consumer *c = nullptr;
      if (int rc = rstream_consumer_open(&c, env, &o); rc < 0) return rc;
      consumers.push_back(c);
    }
    return 0;
  }
  // One message of each `step`th producer.
  int send_from_producers(size_t step = 1) {
    for (size_t i = 0; i < producers.size(); i += step) {
      if (int rc = rstream_producer_send_bytes(producers[i], "x", 1, nullptr); rc < 0)
        return rc;
    }
    return 0;
  }
  int close_producers() {
    for (rstream_producer *p : producers) {
      if (int rc = rstream_producer_close(p, on_producer_closed); rc < 0) return rc;
    }
    producers.clear();
    return 0;
  }
  int close_consumers() {
    for (rstream_consumer *c : consumers) {
      if (int rc = rstream_consumer_close(c, on_consumer_closed); rc < 0) return rc;
    }
    consumers.clear();
    return 0;
  }
};

}  // namespace rstream::test
