// Sending and waiting for the outcome, for programs without a loop of their own.
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct send_wait : fake_client {
  producer_log *log = nullptr;
  rstream_producer *p = nullptr;
  std::string told;

  // The loop of the environment itself is stepped by sending alone.
  void open(uint32_t window = 0) {
    create();
    log = &new_producer_log();
    rstream_producer_options o = log->options();
    o.max_messages_in_flight = window;
    ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  }
  rstream_message message(const char *body) {
    rstream_message m;
    rstream_message_init(&m);
    m.body = body;
    m.body_size = strlen(body);
    m.on_outcome = [](rstream_producer *, uint64_t id, int status, void *user) {
      static_cast<send_wait *>(user)->told +=
          std::to_string(id) + ':' + std::to_string(status) + ' ';
    };
    m.outcome_user = this;
    return m;
  }
  int send_and_wait(const char *body, uint32_t timeout_ms = 10000,
                    uint64_t *id = nullptr) {
    rstream_message m = message(body);
    return rstream_producer_send_wait(p, &m, timeout_ms, id);
  }
};

}  // namespace

TEST_F(send_wait, returns_when_the_message_is_stored) {
  open();
  uint64_t id = 0;
  EXPECT_EQ(send_and_wait("a", 10000, &id), 0);
  EXPECT_EQ(id, 1u);
  EXPECT_EQ(stored(), "0=a");
  EXPECT_EQ(send_and_wait("b", 10000, &id), 0);
  EXPECT_EQ(id, 2u);
  EXPECT_EQ(told, "1:0 2:0 ");
  EXPECT_EQ(log->summary(), "1:0 2:0");
}

TEST_F(send_wait, returns_what_the_broker_refused_it_with) {
  open();
  fake::script_next(node());  // the locator's
  fake::on_frame(node(), key::publish, [](fake::peer &from, const fake::frame &) {
    static constexpr wire::failed_id failed[] = {{1, 17}};
    fake::peer_send(from, fake::frame_of(wire::publish_error{0, {failed}}));
    return fake::verdict::handled;
  });
  EXPECT_EQ(send_and_wait("a"), RSTREAM_BROKER_PRECONDITION_FAILED);
  EXPECT_EQ(log->summary(), "1:-21017");
}

TEST_F(send_wait, gives_up_waiting_but_not_the_message) {
  open();
  invoices().hold_commits = true;
  uint64_t id = 0;
  EXPECT_EQ(send_and_wait("a", 30, &id), RSTREAM_ETIMEDOUT);
  EXPECT_EQ(id, 1u);
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 1; }));
  fake::stream_commit(invoices());
  ASSERT_TRUE(run_until([&] { return !log->outcomes.empty(); }));
  EXPECT_EQ(log->summary(), "1:0");
  EXPECT_EQ(told, "1:0 ") << "its own callback goes on waiting";
}

TEST_F(send_wait, waits_for_room_in_the_window_too) {
  open(1);
  ASSERT_TRUE(run_until([&] { return log->is_open(); }));
  invoices().hold_commits = true;
  uint64_t id = 7;
  ASSERT_EQ(rstream_producer_send_bytes(p, "first", 5, nullptr), 0);
  EXPECT_EQ(send_and_wait("a", 30, &id), RSTREAM_ETIMEDOUT);
  EXPECT_EQ(id, 0u) << "it was not accepted";
  fake::stream_commit(invoices());
  invoices().hold_commits = false;
  EXPECT_EQ(send_and_wait("b", 10000, &id), 0);
  EXPECT_EQ(id, 2u);
  EXPECT_EQ(stored(), "0=first 1=b");
}

TEST_F(send_wait, is_refused_inside_a_callback) {
  open();
  rstream_message m = message("a");
  struct outer {
    send_wait *t;
    int rc = 0;
  } outer{this};
  m.outcome_user = &outer;
  m.on_outcome = [](rstream_producer *, uint64_t, int, void *user) {
    auto *o = static_cast<struct outer *>(user);
    o->rc = o->t->send_and_wait("b");
  };
  EXPECT_EQ(rstream_producer_send_wait(p, &m, 10000, nullptr), 0);
  EXPECT_EQ(outer.rc, RSTREAM_EBUSY);
  EXPECT_EQ(stored(), "0=a") << "nothing of the other was accepted";
}

TEST_F(send_wait, survives_the_end_of_the_producer_and_of_the_environment) {
  open(1);
  ASSERT_TRUE(run_until([&] { return log->is_open(); }));
  invoices().hold_commits = true;
  uv_timer_t timer;
  uv_timer_init(&loop, &timer);
  timer.data = this;
  auto close_it = [](uv_timer_t *t) {
    auto *self = static_cast<send_wait *>(t->data);
    rstream_producer_close_within(self->p, 0, producer_log::on_closed);
  };
  uv_timer_start(&timer, close_it, 10, 0);
  EXPECT_EQ(send_and_wait("a"), RSTREAM_ECLOSED);
  ASSERT_TRUE(run_until([&] { return log->closed == 1; }));
  EXPECT_EQ(told, "1:-20005 ");

  // While it waits for room.
  rstream_producer_options o = log->options();
  o.max_messages_in_flight = 1;
  p = open_producer(*log, o);
  ASSERT_EQ(rstream_producer_send_bytes(p, "x", 1, nullptr), 0);
  auto close_all = [](uv_timer_t *t) {
    auto *self = static_cast<send_wait *>(t->data);
    rstream_producer_close_within(self->p, 0, producer_log::on_closed);
    self->start_closing();
  };
  uv_timer_start(&timer, close_all, 10, 0);
  EXPECT_EQ(send_and_wait("a"), RSTREAM_ECLOSED);
  uv_close(reinterpret_cast<uv_handle_t *>(&timer),
           [](uv_handle_t *handle) { handle->data = nullptr; });
  ASSERT_TRUE(run_until([&] { return timer.data == nullptr; }));
}

TEST_F(send_wait, misuse_is_refused) {
  open();
  rstream_message m = message("a");
  EXPECT_EQ(rstream_producer_send_wait(nullptr, &m, 10, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_send_wait(p, nullptr, 10, nullptr), RSTREAM_EINVAL);
  m.struct_size = 0;
  EXPECT_EQ(rstream_producer_send_wait(p, &m, 10, nullptr), RSTREAM_EINVAL);
  m = message("a");
  m.publishing_id = 3;
  EXPECT_EQ(rstream_producer_send_wait(p, &m, 10, nullptr), RSTREAM_EINVAL);
}
