// rstream_env_update_secret(): connections that are open log in again.
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct login_renewal : fake_client {
  struct outcome {
    int calls = 0;
    int status = 1;
    std::string text;
  };
  static void on_done(rstream_env *, int status, const char *text, void *user) {
    auto *o = static_cast<outcome *>(user);
    o->calls++;
    o->status = status;
    o->text = text;
  }
  void update(const char *secret, outcome &o) {
    ASSERT_EQ(rstream_env_update_secret(env, secret, on_done, &o), 0);
    EXPECT_EQ(o.calls, 0) << "called back from inside the call";
  }
  int wait(outcome &o) {
    EXPECT_TRUE(run_until([&] { return o.calls > 0; }));
    EXPECT_EQ(o.calls, 1);
    return o.status;
  }
  fake::user &guest() { return cluster().users["guest"]; }
  uint64_t logins() { return frames_of(key::sasl_authenticate); }

  // A locator, a connection of producers, one of consumers.
  producer_log &plog = new_producer_log();
  consumer_log &clog = new_consumer_log();
  rstream_producer *p = nullptr;
  void open_three() {
    create();
    p = open_producer(plog, plog.options());
    open_consumer(clog, clog.message_options());
    ASSERT_EQ(logins(), 3u);
  }
};

}  // namespace

TEST_F(login_renewal, each_connection_logs_in_again_and_goes_on) {
  open_three();
  send(p, "before");
  guest().password = "second";
  outcome o;
  update("second", o);
  send(p, "after");
  EXPECT_EQ(wait(o), 0);
  EXPECT_EQ(o.text, "");
  EXPECT_EQ(logins(), 6u);
  EXPECT_TRUE(run_until([&] { return plog.outcomes.size() == 2; }));
  EXPECT_EQ(plog.summary(), "1:0 2:0");
  EXPECT_EQ(stats().connections_lost, 0u);
  EXPECT_TRUE(logged("logged in again at 127.0.0.1"));
}

TEST_F(login_renewal, later_connections_use_the_new_secret) {
  create();
  guest().password = "second";
  outcome o;
  update("second", o);
  EXPECT_EQ(wait(o), 0);
  EXPECT_EQ(logins(), 0u);
  open_producer(plog, plog.options());
  EXPECT_EQ(logins(), 2u);
  EXPECT_EQ(stats().connections_lost, 0u);
}

TEST_F(login_renewal, a_connection_on_its_way_logs_in_again_once_it_is_ready) {
  for (key step : {key::open, key::exchange_command_versions}) {
    node().hooks.clear();
    byte_vector held;
    fake::peer *from = nullptr;
    guest().password = "guest";
    on_frame(node(), step, [&](fake::peer &peer, const fake::frame &fr) {
      held.assign(fr.whole.begin(), fr.whole.end());
      from = &peer;
      return fake::verdict::handled;
    });
    create();
    result r;
    ask(r);
    ASSERT_TRUE(run_until([&] { return from != nullptr; }));
    uint64_t before = logins();
    guest().password = "second";
    outcome o;
    update("second", o);
    for (int i = 0; i < 5; i++) uv_run(&loop, UV_RUN_NOWAIT);
    EXPECT_EQ(o.calls, 0);
    EXPECT_EQ(logins(), before);
    node().hooks.clear();
    fake::frame late = {.key = wire::load_u16be(&held[4]),
                        .version = 1,
                        .body = wire::bytes(held).subspan(8),
                        .whole = held};
    fake::peer_handle(*from, late);
    EXPECT_EQ(wait(o), 0);
    EXPECT_EQ(logins(), before + 1);
    EXPECT_TRUE(run_until([&] { return r.calls > 0; }));
    renew();
  }
}

TEST_F(login_renewal, secrets_in_a_row_are_each_told_and_the_last_one_counts) {
  open_three();
  std::vector<std::string> seen;
  on_frame(node(), key::sasl_authenticate, [&](fake::peer &, const fake::frame &fr) {
    wire::sasl_authenticate x;
    EXPECT_TRUE(decoded(fr, x));
    guest().password = text_of(x.data).substr(7);
    seen.push_back(guest().password);
    return fake::verdict::pass;
  });
  outcome a, b, c;
  update("second", a);
  uv_run(&loop, UV_RUN_NOWAIT);
  update("third", b);
  update("fourth", c);
  EXPECT_EQ(wait(a), 0);
  EXPECT_EQ(wait(b), 0);
  EXPECT_EQ(wait(c), 0);
  ASSERT_GE(seen.size(), 3u);
  for (size_t i = seen.size() - 3; i < seen.size(); i++) EXPECT_EQ(seen[i], "fourth");
  EXPECT_EQ(stats().connections_lost, 0u);
}

TEST_F(login_renewal, a_secret_that_is_refused_ends_the_connection) {
  cluster().options.tarpit_ms = 1;
  create();
  result r;
  ask_and_wait(r);
  outcome o;
  update("wrong", o);
  EXPECT_EQ(wait(o), RSTREAM_BROKER_AUTHENTICATION_FAILURE);
  EXPECT_EQ(o.text, "authentication failure");
  EXPECT_TRUE(run_until([&] { return stats().connections_for_locator == 0; }));
  EXPECT_EQ(stats().connections_lost, 1u);
}

TEST_F(login_renewal, brokers_before_3_13_are_left_alone) {
  cluster().options.version = "3.12.4";
  create();
  result r;
  ask_and_wait(r);
  outcome o;
  update("second", o);
  EXPECT_EQ(wait(o), RSTREAM_ENOTSUP);
  EXPECT_EQ(o.text, "brokers before 3.13 can't renew a login");
  EXPECT_EQ(logins(), 1u);
  EXPECT_EQ(stats().connections_for_locator, 1u);
}

TEST_F(login_renewal, a_broker_that_does_not_answer) {
  options.request_timeout_ms = 50;
  create();
  result r;
  ask_and_wait(r);
  on_frame(node(), key::sasl_authenticate,
           [](fake::peer &, const fake::frame &) { return fake::verdict::handled; });
  outcome o;
  update("second", o);
  EXPECT_EQ(wait(o), RSTREAM_ETIMEDOUT);
  EXPECT_TRUE(run_until([&] { return stats().connections_for_locator == 0; }));
}

TEST_F(login_renewal, a_connection_that_is_lost_meanwhile_is_not_waited_for) {
  create();
  result r;
  ask_and_wait(r);
  on_frame(node(), key::sasl_authenticate, [](fake::peer &peer, const fake::frame &) {
    peer_reset(peer);
    return fake::verdict::handled;
  });
  outcome o;
  update("second", o);
  EXPECT_EQ(wait(o), 0);
  EXPECT_EQ(stats().connections_for_locator, 0u);
}

TEST_F(login_renewal, closing_the_environment_cancels_it) {
  create();
  result r;
  ask_and_wait(r);
  on_frame(node(), key::sasl_authenticate,
           [](fake::peer &, const fake::frame &) { return fake::verdict::handled; });
  outcome o;
  update("second", o);
  ASSERT_TRUE(run_until([&] { return logins() == 2; }));
  renew();
  EXPECT_EQ(o.calls, 1);
  EXPECT_EQ(o.status, RSTREAM_ECANCELED);
}

TEST_F(login_renewal, callbacks_are_asked_again) {
  static std::string secret;
  static int first_times, renewals;
  secret = "guest";
  first_times = renewals = 0;
  options.on_credentials = [](rstream_credentials *c, void *) {
    strcpy(c->password, secret.c_str());
    (c->renewal ? renewals : first_times)++;
    return 0;
  };
  open_three();
  EXPECT_EQ(first_times, 3);
  secret = guest().password = "second";
  outcome o;
  EXPECT_EQ(rstream_env_update_secret(env, "second", on_done, &o), RSTREAM_EINVAL);
  EXPECT_STREQ(rstream_env_error_text(env), "a secret is either given or asked for");
  update(nullptr, o);
  EXPECT_EQ(wait(o), 0);
  EXPECT_EQ(renewals, 3);
  EXPECT_EQ(stats().connections_lost, 0u);
}

TEST_F(login_renewal, arguments) {
  EXPECT_EQ(rstream_env_update_secret(nullptr, "x", nullptr, nullptr), RSTREAM_EINVAL);
  create();
  EXPECT_EQ(rstream_env_update_secret(env, nullptr, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_update_secret(env, "x", nullptr, nullptr), 0);
  start_closing();
  EXPECT_EQ(rstream_env_update_secret(env, "x", nullptr, nullptr), RSTREAM_ECLOSED);
  renew();
  cluster().options.mechanisms = {"EXTERNAL"};
  options.auth = RSTREAM_AUTH_EXTERNAL;
  create();
  EXPECT_EQ(rstream_env_update_secret(env, "x", nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_STREQ(rstream_env_error_text(env), "this mechanism of SASL has no secret");
}
