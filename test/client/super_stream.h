// A super stream "orders" in the in-memory broker, and a super producer that writes down
// what it is told.
#pragma once

#include "client/env.h"
#include "client/super_producer.h"
#include "fake/script.h"
#include "scenario.h"

namespace rstream::test {

struct super_log {
  struct outcome {
    uint64_t id;
    int status;
    std::string partition;  // "-" for none
  };
  std::vector<outcome> outcomes;
  std::map<uint64_t, int> told;  // how often, by id
  std::string events;            // "+orders-0 -orders-1 orders-2:1 "
  std::vector<int> states;
  int reason = 0;
  std::string text;
  int writable = 0;
  int closed = 0;
  int closed_status = 1;
  std::function<void()> on_outcomes;
  std::function<void()> on_writable_too;

  static super_log *of(void *user) { return static_cast<super_log *>(user); }
  bool is_open() const { return !states.empty() && states.back() == RSTREAM_STATE_OPEN; }
  bool ended() const { return !states.empty() && states.back() == RSTREAM_STATE_CLOSED; }
  size_t with(int status, const std::string &partition) const {
    return static_cast<size_t>(
        std::count_if(outcomes.begin(), outcomes.end(), [&](const outcome &o) {
          return o.status == status && o.partition == partition;
        }));
  }
  // "0:orders-1 -20020:- ", in the order told.
  std::string summary() const {
    std::string s;
    for (const outcome &o : outcomes)
      s += std::to_string(o.status) + ':' + o.partition + ' ';
    return s;
  }

  rstream_super_producer_options options(const char *super_stream = "orders") {
    rstream_super_producer_options o;
    rstream_super_producer_options_init(&o);
    o.super_stream = super_stream;
    o.user = this;
    o.on_confirm = [](rstream_super_producer *, const rstream_super_confirms *c,
                      void *user) {
      for (size_t i = 0; i < c->count; i++) {
        of(user)->outcomes.push_back(
            {c->ids[i], c->status, c->partition ? c->partition : "-"});
        of(user)->told[c->ids[i]]++;
      }
      if (of(user)->on_outcomes) of(user)->on_outcomes();
    };
    o.on_state = [](rstream_super_producer *, const rstream_state *s, void *user) {
      of(user)->states.push_back(s->state);
      of(user)->reason = s->reason;
      of(user)->text = s->text;
      EXPECT_STREQ(s->stream, "orders");
    };
    o.on_partition = [](rstream_super_producer *, const rstream_partition_event *e,
                        void *user) {
      std::string name = e->partition;
      of(user)->events += e->change == RSTREAM_PARTITION_ADDED ? '+' + name + ' '
                          : e->change == RSTREAM_PARTITION_REMOVED
                              ? '-' + name + ' '
                              : name + ':' + std::to_string(e->state) + ' ';
    };
    o.on_writable = [](rstream_super_producer *, void *user) {
      of(user)->writable++;
      if (of(user)->on_writable_too) of(user)->on_writable_too();
    };
    return o;
  }
  static void on_closed(rstream_super_producer *, int status, void *user) {
    of(user)->closed++;
    of(user)->closed_status = status;
  }
};

struct orders_client : fake_client {
  // Partitions named orders-0 ..., bound with "0" ...
  void make_orders(uint32_t n) {
    fake::super_stream &orders = cluster().super_streams["orders"];
    for (uint32_t i = 0; i < n; i++)
      add_partition("orders-" + std::to_string(i), std::to_string(i));
    EXPECT_EQ(orders.partitions.size(), n);
  }
  void add_partition(const std::string &name, const std::string &key) {
    if (!fake::stream_find(cluster(), name)) fake::stream_create(cluster(), name);
    cluster().super_streams["orders"].partitions.push_back(name);
    cluster().super_streams["orders"].binding_keys.push_back(key);
  }
  // Also its binding, as a broker does.
  void delete_partition(const std::string &name) {
    fake::super_stream &orders = cluster().super_streams["orders"];
    for (size_t i = orders.partitions.size(); i-- > 0;) {
      if (orders.partitions[i] != name) continue;
      orders.partitions.erase(orders.partitions.begin() + static_cast<ptrdiff_t>(i));
      orders.binding_keys.erase(orders.binding_keys.begin() + static_cast<ptrdiff_t>(i));
    }
    fake::stream_delete(cluster(), name);
  }
  std::string error() { return rstream_env_error_text(env); }

  // The bodies in a partition, "a b c".
  std::string in(const std::string &partition) {
    std::string text;
    fake::stream *stream = fake::stream_find(cluster(), partition);
    if (!stream) return "gone";
    fake::stream_each(*stream, [&](uint64_t, wire::bytes body) {
      text += (text.empty() ? "" : " ") + text_of(body);
    });
    return text;
  }
};

struct super_client : orders_client {
  super_log log;
  rstream_super_producer *s = nullptr;
  rstream_producer_options of_partitions{};

  void SetUp() override {
    fake_client::SetUp();
    rstream_producer_options_init(&of_partitions);
  }

  void open_super(rstream_super_producer_options o) {
    if (!env) create();
    if (!o.producer) o.producer = &of_partitions;
    ASSERT_EQ(rstream_super_producer_open(&s, env, &o), 0) << error();
  }
  void open_super() { open_super(log.options()); }
  void wait_open() {
    ASSERT_TRUE(run_until([&] { return log.is_open() || log.ended(); }));
    ASSERT_TRUE(log.is_open()) << log.text;
  }
  int send_to(std::string_view key, std::string_view body, uint64_t *id = nullptr) {
    return rstream_super_producer_send_bytes(s, body.data(), body.size(), key.data(),
                                             key.size(), id);
  }
  // The next look at the partitions is now, instead of at its time.
  void look_again() {
    uint64_t answers = s->watch.answers;
    net_timer_start(*env->world, s->watch.timer, 0);
    EXPECT_TRUE(run_until([&] { return s->watch.answers > answers || log.ended(); }));
  }
  bool wait_for(size_t outcomes) {
    return run_until([&] { return log.outcomes.size() >= outcomes; });
  }
  bool close_super() {
    EXPECT_EQ(rstream_super_producer_close(s, super_log::on_closed), 0);
    return run_until([&] { return log.closed > 0; });
  }
  rstream_super_producer_stats super_stats() const {
    rstream_super_producer_stats x;
    x.struct_size = sizeof x;
    EXPECT_EQ(rstream_super_producer_stats_get(s, &x), 0);
    return x;
  }
};

}  // namespace rstream::test
