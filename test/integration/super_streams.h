#pragma once

// What the tests of super streams on a real broker start from: a super stream's name, and
// probes that write down what they are told.

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "fixture.h"

namespace rstream::test {

struct names_reply {
  int calls = 0;
  int status = 1;
  std::vector<std::string> names;
  static void on(rstream_env *, int status, const char *const *partitions, size_t count,
                 void *user) {
    auto *r = static_cast<names_reply *>(user);
    r->calls++;
    r->status = status;
    r->names.assign(partitions, partitions + count);
  }
};

struct super_probe {
  rstream_super_producer *handle = nullptr;
  std::map<uint64_t, int> told;
  std::map<std::string, uint64_t> stored;  // by partition
  std::map<int, uint64_t> by_status;
  std::vector<int> states;
  std::string events;
  int writable = 0;
  int closed = 0;
  int closed_status = 1;
  std::function<void()> on_writable_too;

  static super_probe *of(void *user) { return static_cast<super_probe *>(user); }
  uint64_t outcomes() const {
    uint64_t n = 0;
    for (auto &[status, count] : by_status) n += count;
    return n;
  }
  int open(rstream_env *env, const std::string &name,
           const std::function<void(rstream_super_producer_options &,
                                    rstream_producer_options &)> &settings = nullptr) {
    rstream_producer_options po;
    rstream_producer_options_init(&po);
    rstream_super_producer_options o;
    rstream_super_producer_options_init(&o);
    o.super_stream = name.c_str();
    o.producer = &po;
    o.user = this;
    o.on_confirm = [](rstream_super_producer *, const rstream_super_confirms *c,
                      void *user) {
      for (size_t i = 0; i < c->count; i++) of(user)->told[c->ids[i]]++;
      of(user)->by_status[c->status] += c->count;
      if (c->status == 0 && c->partition) of(user)->stored[c->partition] += c->count;
    };
    o.on_state = [](rstream_super_producer *, const rstream_state *s, void *user) {
      of(user)->states.push_back(s->state);
    };
    o.on_partition = [](rstream_super_producer *, const rstream_partition_event *e,
                        void *user) {
      of(user)->events += std::to_string(e->change) + e->partition + ' ';
    };
    o.on_writable = [](rstream_super_producer *, void *user) {
      of(user)->writable++;
      if (of(user)->on_writable_too) of(user)->on_writable_too();
    };
    if (settings) settings(o, po);
    return rstream_super_producer_open(&handle, env, &o);
  }
  int send(std::string_view key, std::string_view body) {
    return rstream_super_producer_send_bytes(handle, body.data(), body.size(), key.data(),
                                             key.size(), nullptr);
  }
  int close() {
    return rstream_super_producer_close(
        handle, [](rstream_super_producer *, int status, void *user) {
          of(user)->closed++;
          of(user)->closed_status = status;
        });
  }
};

struct group_probe {
  rstream_super_consumer *handle = nullptr;
  std::map<std::string, std::vector<std::string>> bodies;  // by partition
  std::map<std::string, std::vector<uint64_t>> offsets;
  std::string events;
  std::vector<int> states;
  uint64_t count = 0;
  int closed = 0;

  static group_probe *of(void *user) { return static_cast<group_probe *>(user); }
  bool is_open() const { return !states.empty() && states.back() == RSTREAM_STATE_OPEN; }
  int open(rstream_env *env, const std::string &name,
           const std::function<void(rstream_consumer_options &)> &settings = nullptr) {
    rstream_consumer_options co;
    rstream_consumer_options_init(&co);
    co.offset_type = RSTREAM_OFFSET_FIRST;
    co.user = this;
    co.on_message = [](rstream_consumer *c, const rstream_message_view *m, void *user) {
      const char *partition = rstream_consumer_stream(c);
      of(user)->bodies[partition].push_back(text_of(m));
      of(user)->offsets[partition].push_back(m->offset);
      of(user)->count++;
    };
    if (settings) settings(co);
    rstream_super_consumer_options o;
    rstream_super_consumer_options_init(&o);
    o.super_stream = name.c_str();
    o.consumer = &co;
    o.user = this;
    o.on_state = [](rstream_super_consumer *, const rstream_state *s, void *user) {
      of(user)->states.push_back(s->state);
    };
    o.on_partition = [](rstream_super_consumer *, const rstream_partition_event *e,
                        void *user) {
      of(user)->events += std::to_string(e->change) + e->partition + ' ';
    };
    return rstream_super_consumer_open(&handle, env, &o);
  }
  int close() {
    return rstream_super_consumer_close(
        handle, [](rstream_super_consumer *, int, void *user) { of(user)->closed++; });
  }
  std::set<size_t> reads() const {
    std::set<size_t> active;
    for (size_t i = 0; i < rstream_super_consumer_partition_count(handle); i++) {
      const rstream_consumer *c = rstream_super_consumer_partition_consumer(handle, i);
      if (rstream_consumer_activity(c) == RSTREAM_ACTIVITY_ACTIVE) active.insert(i);
    }
    return active;
  }
};

struct super_streams : broker_test {
  std::string name_of_super;
  std::deque<super_probe> producers;  // outlive the environment
  std::deque<group_probe> consumers;

  void SetUp() override {
    broker_test::SetUp();
    if (broker_uri()) name_of_super = other_stream("super");
  }
  void TearDown() override {
    if (broker_uri()) remove();
    broker_test::TearDown();
  }
  int make(uint32_t partitions, const std::vector<const char *> &keys = {}) {
    rstream_super_stream_options o;
    rstream_super_stream_options_init(&o);
    o.partitions = partitions;
    o.binding_keys = keys.empty() ? nullptr : keys.data();
    o.binding_key_count = keys.size();
    auto reply = ask<result_reply>([&](auto *r) {
      return rstream_super_stream_create(env, name_of_super.c_str(), &o, result_reply::on,
                                         r);
    });
    return reply.status;
  }
  int remove() {
    auto reply = ask<result_reply>([&](auto *r) {
      return rstream_super_stream_delete(env, name_of_super.c_str(), result_reply::on, r);
    });
    return reply.status;
  }
  names_reply partitions() {
    return ask<names_reply>([&](auto *r) {
      return rstream_super_stream_partitions(env, name_of_super.c_str(), names_reply::on,
                                             r);
    });
  }
  names_reply route(const char *key) {
    return ask<names_reply>([&](auto *r) {
      return rstream_super_stream_route(env, name_of_super.c_str(), key, strlen(key),
                                        names_reply::on, r);
    });
  }
  std::string partition(int i) { return name_of_super + '-' + std::to_string(i); }
};

}  // namespace rstream::test
