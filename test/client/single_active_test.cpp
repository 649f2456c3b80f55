// Single active consumers: one at a time, and told when it is which one's turn.
#include "consume_ways.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct single : consume_ways {
  struct member {
    single *t;
    consumer_log *log;
    rstream_consumer *c = nullptr;
    std::string updates;
    rstream_update_reply reply = RSTREAM_UPDATE_DEFAULT;
  };
  std::deque<member> members;

  // A member of the group, in the one environment.
  member &join() { return join(by_message()); }
  member &join(rstream_consumer_options o) {
    o.name = "group";
    o.single_active = 1;
    member &m = members.emplace_back(member{this, log});
    o.user = &m;
    if (o.on_message) {
      o.on_message = [](rstream_consumer *, const rstream_message_view *v, void *user) {
        static_cast<member *>(user)->log->add(*v);
      };
    } else {
      o.on_chunk = [](rstream_consumer *, rstream_chunk *chunk, void *user) {
        auto *self = static_cast<member *>(user);
        while (const rstream_message_view *v = rstream_chunk_next(chunk))
          self->log->add(*v);
        rstream_chunk_retain(chunk);
        self->log->kept.push_back(chunk);
      };
    }
    o.on_state = [](rstream_consumer *, const rstream_state *s, void *user) {
      static_cast<member *>(user)->log->states.push_back(s->state);
    };
    o.on_update = [](rstream_consumer *, int active, void *user) {
      auto *self = static_cast<member *>(user);
      self->updates += active ? "+" : "-";
      return self->reply;
    };
    o.on_entry_error = nullptr;
    o.update_timeout_ms = timeout_ms;
    EXPECT_EQ(rstream_consumer_open(&m.c, env, &o), 0) << last_error();
    EXPECT_TRUE(run_until([&] { return m.log->is_open(); }));
    return m;
  }
  void leave(member &m) {
    auto on_closed = [](rstream_consumer *, int, void *user) {
      static_cast<member *>(user)->log->closed++;
    };
    ASSERT_EQ(rstream_consumer_close(m.c, on_closed), 0);
    ASSERT_TRUE(run_until([&] { return m.log->closed > 0; }));
  }
  // The broker's question, whatever its group says.
  void update(const member &m, uint32_t correlation_id, bool active) {
    uint8_t id = m.c->member.id;
    fake::peer_send(subscribed_peer(),
                    fake::frame_of(wire::consumer_update{correlation_id, id, active}));
  }
  void watch_answers() {
    fake::on_any_frame(node(), [this](fake::peer &, const fake::frame &fr) {
      if (fr.key != (wire::raw(key::consumer_update) | 0x8000))
        return fake::verdict::pass;
      wire::consumer_update_response r;
      EXPECT_TRUE(fake::decoded(fr, r));
      told += std::to_string(r.correlation_id) + ':' + std::to_string(r.spec.type) + '/' +
              std::to_string(r.spec.value) + ' ';
      return r.correlation_id >= 500 ? fake::verdict::handled : fake::verdict::pass;
    });
  }
  // Not what is stored at that offset.
  void deliver_bad(const member &m, uint64_t offset) {
    fake::chunk_parts parts = {.first_offset = offset, .crc_xor = 1};
    fake::chunk_add(parts, "damaged");
    fake::peer_send(subscribed_peer(), fake::deliver_frame(m.c->member.id, 2, parts));
  }
  bool wait_for_updates(const member &m, const char *updates) {
    return run_until([&] { return m.updates == updates; });
  }
  static rstream_activity activity(const member &m) {
    return rstream_consumer_activity(m.c);
  }
  // What is stored for the group each time that somebody unsubscribes.
  void watch_unsubscribing() {
    fake::on_frame(node(), key::unsubscribe, [this](fake::peer &, const fake::frame &) {
      told += stored_for("group") + " at Unsubscribe ";
      return fake::verdict::pass;
    });
  }
  // The broker has some trouble.
  uint64_t refuse_queries() {
    auto refuse = [](fake::peer &p, const fake::frame &fr) {
      fake::peer_send(p, fake::response_to(fr, wire::response::stream_not_available));
      return fake::verdict::handled;
    };
    return fake::on_frame(node(), key::query_offset, refuse);
  }
  static void release_all(const member &m) {
    for (rstream_chunk *chunk : m.log->kept) rstream_chunk_release(chunk);
    m.log->kept.clear();
  }
  uint32_t timeout_ms = 0;
};

}  // namespace

TEST_F(single, the_next_one_goes_on_where_the_last_one_stopped) {
  store_numbers(3);
  member &a = join();
  ASSERT_TRUE(run_until([&] { return a.log->messages == "0=0 1=1 2=2"; }));
  EXPECT_EQ(rstream_consumer_activity(a.c), RSTREAM_ACTIVITY_ACTIVE);
  member &b = join();
  EXPECT_EQ(rstream_consumer_activity(b.c), RSTREAM_ACTIVITY_STANDBY);
  EXPECT_EQ(b.updates, "");
  leave(a);
  EXPECT_EQ(stored_for("group"), "2");
  store_numbers(1);
  ASSERT_TRUE(run_until([&] { return b.log->messages == "3=3"; })) << b.log->messages;
  EXPECT_EQ(a.updates + b.updates, "++");
  EXPECT_EQ(rstream_consumer_activity(b.c), RSTREAM_ACTIVITY_ACTIVE);
}

// Scenario 80.
TEST_F(single,
       scenario_80_after_stopping_nothing_is_handed_out_and_the_offset_is_stored) {
  store_numbers(2);
  member &a = join();
  ASSERT_TRUE(run_until([&] { return a.log->messages == "0=0 1=1"; }));
  watch_answers();
  update(a, 500, false);
  // Both were on their way.
  fake::chunk_parts parts = {.first_offset = 2};
  fake::chunk_add(parts, "late");
  fake::peer_send(subscribed_peer(), fake::deliver_frame(a.c->member.id, 2, parts));
  ASSERT_TRUE(run_until([&] { return told == "500:0/0 "; })) << told;
  ASSERT_TRUE(run_until([&] { return stats_of(a.c).chunks_dropped == 1; }));
  EXPECT_EQ(a.log->messages, "0=0 1=1");
  EXPECT_EQ(a.updates, "+-");
  EXPECT_EQ(stored_for("group"), "1") << "it was stored before the answer";
  EXPECT_EQ(rstream_consumer_activity(a.c), RSTREAM_ACTIVITY_STANDBY);
}

// Scenario 81.
TEST_F(single, scenario_81_an_update_nobody_answers_is_answered_by_default) {
  store_numbers(2);
  invoices().offsets["group"] = 0;
  timeout_ms = 20;
  watch_answers();
  member &a = join();
  ASSERT_TRUE(run_until([&] { return a.log->messages == "1=1"; }));
  a.reply = RSTREAM_UPDATE_LATER;
  told.clear();
  update(a, 600, false);
  ASSERT_TRUE(run_until([&] { return told == "600:0/0 "; })) << told;
  update(a, 601, true);
  ASSERT_TRUE(run_until([&] { return told == "600:0/0 601:4/2 "; })) << told;
  EXPECT_EQ(rstream_consumer_update_done(a.c, RSTREAM_OFFSET_FIRST, 0), RSTREAM_EBUSY);
}

TEST_F(single, the_application_answers_when_it_likes_and_where_it_likes) {
  store_numbers(5);
  watch_answers();
  member &a = join();
  ASSERT_TRUE(run_until([&] { return stats_of(a.c).next_offset == 5; }));
  a.reply = RSTREAM_UPDATE_LATER;
  told.clear();
  update(a, 700, false);
  ASSERT_TRUE(run_until([&] { return a.updates == "+-"; }));
  EXPECT_EQ(told, "");
  ASSERT_EQ(rstream_consumer_update_done(a.c, RSTREAM_OFFSET_DEFAULT, 0), 0);
  EXPECT_EQ(rstream_consumer_update_done(a.c, RSTREAM_OFFSET_DEFAULT, 0), RSTREAM_EBUSY);
  ASSERT_TRUE(run_until([&] { return told == "700:0/0 "; })) << told;
  update(a, 701, true);
  ASSERT_TRUE(run_until([&] { return a.updates == "+-+"; }));
  // Before it says where, it may look.
  auto on_result = [](rstream_consumer *consumer, int, uint64_t offset, void *) {
    EXPECT_EQ(rstream_consumer_update_done(consumer, RSTREAM_OFFSET_OFFSET, offset - 1),
              0);
  };
  ASSERT_EQ(rstream_consumer_query_offset(a.c, on_result, nullptr), 0);
  ASSERT_TRUE(run_until([&] { return told == "700:0/0 701:4/3 "; })) << told;
  a.log->messages.clear();
  fake::chunk_parts parts = {.first_offset = 2};
  for (const char *body : {"2", "3", "4"}) fake::chunk_add(parts, body);
  fake::peer_send(subscribed_peer(), fake::deliver_frame(a.c->member.id, 2, parts));
  ASSERT_TRUE(run_until([&] { return a.log->messages == "3=3 4=4"; })) << a.log->messages;
}

// Scenario 82.
TEST_F(single, scenario_82_each_update_is_answered_once_also_when_closing) {
  store_numbers(1);
  watch_answers();
  member &a = join();
  ASSERT_TRUE(run_until([&] { return a.log->messages == "0=0"; }));
  a.reply = RSTREAM_UPDATE_LATER;
  told.clear();
  update(a, 800, false);
  update(a, 801, true);
  ASSERT_TRUE(run_until([&] { return a.updates == "+-+"; }));
  EXPECT_EQ(told, "800:0/0 ") << "the second question settles the first";
  leave(a);
  EXPECT_EQ(told, "800:0/0 801:0/0 ");
}

TEST_F(single, stopping_waits_for_the_chunks_that_are_held) {
  store_numbers(2);
  rstream_consumer_options o = by_chunk();
  o.name = "group";
  o.single_active = 1;
  log->keeps = true;
  watch_answers();
  open(o);
  ASSERT_TRUE(run_until([&] { return log->kept.size() == 2; }));
  told.clear();
  fake::peer_send(subscribed_peer(),
                  fake::frame_of(wire::consumer_update{900, c->member.id, false}));
  ASSERT_TRUE(run_until([&] { return c->update.at == update_state::step::finishing; }));
  rstream_chunk_release(log->kept[0]);
  EXPECT_EQ(told, "");
  rstream_chunk_release(log->kept[1]);
  ASSERT_TRUE(run_until([&] { return told == "900:0/0 "; })) << told;
  EXPECT_EQ(stored_for("group"), "1");
}

TEST_F(single, an_old_broker_has_none) {
  cluster().options.version = "3.10.0";
  rstream_consumer_options o = by_message();
  o.name = "group";
  o.single_active = 1;
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  ASSERT_TRUE(run_until([&] { return log->ended(); }));
  EXPECT_EQ(log->reason, RSTREAM_ENOTSUP);
  o.name = nullptr;
  EXPECT_EQ(rstream_consumer_open(&c, env, &o), RSTREAM_EINVAL);
}

// ---- begun anew

TEST_F(single, one_that_begins_anew_gives_its_turn_to_the_next) {
  store_numbers(2);
  member &a = join();
  ASSERT_TRUE(run_until([&] { return a.log->messages == "0=0 1=1"; }));
  member &b = join();
  watch_unsubscribing();
  deliver_bad(a, 2);
  ASSERT_TRUE(wait_for_updates(b, "+"));
  EXPECT_EQ(a.updates, "+-");
  EXPECT_EQ(told, "1 at Unsubscribe ");
  ASSERT_TRUE(run_until([&] { return frames_of(key::subscribe) == 3; }));
  store_numbers(1);
  ASSERT_TRUE(run_until([&] { return b.log->messages == "2=2"; }));
  EXPECT_EQ(a.log->messages, "0=0 1=1");
  EXPECT_EQ(activity(a), RSTREAM_ACTIVITY_STANDBY);
  EXPECT_EQ(activity(b), RSTREAM_ACTIVITY_ACTIVE);
  leave(b);
  store_numbers(1);
  ASSERT_TRUE(run_until([&] { return a.log->messages == "0=0 1=1 3=3"; }));
  EXPECT_EQ(a.updates, "+-+");
}

TEST_F(single, alone_it_gets_its_turn_back) {
  store_numbers(2);
  rstream_consumer_options o = by_message();
  o.offset_type = RSTREAM_OFFSET_NEXT;
  member &a = join(o);
  ASSERT_TRUE(wait_for_updates(a, "+"));
  // Nothing is finished, so nothing stored: it goes on at what was bad.
  deliver_bad(a, 1);
  ASSERT_TRUE(wait_for_updates(a, "+-+"));
  ASSERT_TRUE(run_until([&] { return a.log->messages == "1=1"; })) << a.log->messages;
  EXPECT_EQ(stored_for("group"), "none");
}

TEST_F(single, what_exceeds_the_bytes_costs_the_turn_too) {
  for (int i = 0; i < 10; i++) store("small");
  std::string large(300000, 'x');
  for (int i = 0; i < 3; i++) store(large);
  rstream_consumer_options o = by_chunk();
  o.max_bytes_held = 600000;
  o.initial_credit = 20;
  watch_unsubscribing();
  member &a = join(o);
  ASSERT_TRUE(wait_for_updates(a, "+-"));
  EXPECT_EQ(a.log->kept.size(), 12u);
  EXPECT_EQ(activity(a), RSTREAM_ACTIVITY_STANDBY);
  EXPECT_EQ(told, "") << "chunks are held";
  release_all(a);
  ASSERT_TRUE(wait_for_updates(a, "+-+"));
  EXPECT_EQ(told, "11 at Unsubscribe ");
  ASSERT_TRUE(run_until([&] { return a.log->kept.size() == 1; }));
  EXPECT_EQ(stats_of(a.c).next_offset, 13u);
  release_all(a);
}

// The broker thinks of another one at the same time.
TEST_F(single, the_application_may_take_its_time_to_begin_anew) {
  store_numbers(2);
  member &a = join();
  ASSERT_TRUE(run_until([&] { return a.log->messages == "0=0 1=1"; }));
  a.reply = RSTREAM_UPDATE_LATER;
  watch_answers();
  watch_unsubscribing();
  deliver_bad(a, 2);
  ASSERT_TRUE(wait_for_updates(a, "+-"));
  store_numbers(1);
  update(a, 500, false);
  ASSERT_TRUE(run_until([&] { return stats_of(a.c).chunks_dropped == 1; }));
  EXPECT_EQ(told, "");
  a.reply = RSTREAM_UPDATE_DEFAULT;
  ASSERT_EQ(rstream_consumer_update_done(a.c, RSTREAM_OFFSET_DEFAULT, 0), 0);
  ASSERT_TRUE(run_until([&] { return a.log->messages == "0=0 1=1 2=2"; }));
  EXPECT_EQ(a.updates, "+-+");
  EXPECT_EQ(told, "500:0/0 1 at Unsubscribe 1:4/2 ");
}

TEST_F(single, standing_by_a_bad_chunk_is_not_looked_at) {
  store_numbers(1);
  member &a = join();
  ASSERT_TRUE(run_until([&] { return a.log->messages == "0=0"; }));
  member &b = join();
  deliver_bad(b, 7);
  ASSERT_TRUE(run_until([&] { return stats_of(b.c).chunks_dropped == 1; }));
  EXPECT_EQ(stats_of(b.c).chunks_bad, 0u);
  EXPECT_EQ(stats_of(b.c).resubscribes, 0u);
}

// ---- who may store, and what

TEST_F(single, what_is_finished_too_late_is_not_stored) {
  store_numbers(2);
  timeout_ms = 20;
  rstream_consumer_options o = by_chunk();
  o.store_every_messages = 1;
  member &a = join(o);
  ASSERT_TRUE(run_until([&] { return a.log->kept.size() == 2; }));
  member &b = join(by_message());
  watch_unsubscribing();
  deliver_bad(a, 2);
  ASSERT_TRUE(run_until([&] { return b.log->messages == "0=0 1=1"; }));
  EXPECT_EQ(told, "none at Unsubscribe ") << "the chunks were held for too long";
  leave(b);
  ASSERT_EQ(stored_for("group"), "1");
  invoices().offsets["group"] = 77;  // others were there meanwhile
  release_all(a);
  ASSERT_EQ(rstream_consumer_close(a.c, nullptr), 0);
  ASSERT_TRUE(run_until([&] { return !fake::subscription_of(cluster(), "invoices"); }));
  EXPECT_EQ(stored_for("group"), "77");
}

TEST_F(single, nor_in_a_store_of_the_applications_own) {
  store_numbers(2);
  rstream_consumer_options o = by_chunk();
  o.store_every_messages = 1;
  o.on_store_offset = [](rstream_consumer *, uint64_t offset, void *user) {
    static_cast<member *>(user)->log->text += std::to_string(offset) + ' ';
  };
  member &a = join(o);
  ASSERT_TRUE(run_until([&] { return a.log->kept.size() == 2; }));
  rstream_chunk_release(a.log->kept[0]);
  ASSERT_TRUE(run_until([&] { return a.log->text == "0 "; }));
  bool asked = false;
  fake::on_frame(node(), key::unsubscribe, [&](fake::peer &, const fake::frame &) {
    asked = true;
    return fake::verdict::handled;
  });
  ASSERT_EQ(rstream_consumer_close(a.c,
                                   [](rstream_consumer *, int, void *user) {
                                     static_cast<member *>(user)->log->closed++;
                                   }),
            0);
  ASSERT_TRUE(run_until([&] { return asked; }));
  rstream_chunk_release(a.log->kept[1]);
  ASSERT_TRUE(run_until([&] { return a.log->closed > 0; }));
  EXPECT_EQ(a.log->text, "0 ");
}

TEST_F(single, closing_while_it_is_to_stop_stores_first) {
  store_numbers(2);
  member &a = join();
  ASSERT_TRUE(run_until([&] { return a.log->messages == "0=0 1=1"; }));
  a.reply = RSTREAM_UPDATE_LATER;
  watch_answers();
  watch_unsubscribing();
  update(a, 500, false);
  ASSERT_TRUE(wait_for_updates(a, "+-"));
  leave(a);
  EXPECT_EQ(told, "500:0/0 1 at Unsubscribe ");
}

TEST_F(single, without_the_stored_offset_it_does_not_begin) {
  store_numbers(5);
  invoices().offsets["group"] = 2;
  uint64_t hook = refuse_queries();
  watch_answers();
  member &a = join();
  ASSERT_TRUE(run_until([&] { return frames_of(key::unsubscribe) >= 2; }));
  EXPECT_EQ(told.substr(0, 6), "0:0/0 ") << "the broker was answered";
  EXPECT_EQ(a.log->messages, "");
  EXPECT_GE(
      std::count(a.log->states.begin(), a.log->states.end(), RSTREAM_STATE_RECOVERING),
      1);
  fake::hook_remove(node(), hook);
  ASSERT_TRUE(run_until([&] { return a.log->messages == "3=3 4=4"; })) << a.log->messages;
  EXPECT_EQ(stored_for("group"), "2");
}

TEST_F(single, nor_does_one_that_does_not_recover) {
  store_numbers(5);
  recovery = RSTREAM_RECOVERY_NONE;
  refuse_queries();
  member &a = join();
  ASSERT_TRUE(run_until([&] { return a.log->ended(); }));
  EXPECT_EQ(a.log->messages, "");
  EXPECT_EQ(fake::subscription_of(cluster(), "invoices"), nullptr);
}
