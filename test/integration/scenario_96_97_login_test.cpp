// Scenarios 96 and 97 on a real broker: mechanisms, refusals, and secrets that change.
#include "tls_broker.h"

using namespace rstream::test;

namespace {

// A user of its own, who may do everything.
struct login : tls_broker_test {
  std::string user;

  void SetUp() override {
    tls_broker_test::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    user = "user-" + std::to_string(testing::UnitTest::GetInstance()->random_seed()) +
           std::to_string(reinterpret_cast<uintptr_t>(this) % 100000);
    broker_eval("rabbit_auth_backend_internal:add_user(<<\"" + user +
                "\">>, <<\"first\">>, <<\"tests\">>).");
    permit(".*", ".*");
  }
  void TearDown() override {
    if (!user.empty())
      broker_eval("rabbit_auth_backend_internal:delete_user(<<\"" + user +
                  "\">>, <<\"tests\">>).");
    tls_broker_test::TearDown();
  }
  void permit(const char *write, const char *read) {
    broker_eval("rabbit_auth_backend_internal:set_permissions(<<\"" + user +
                "\">>, <<\"/\">>, <<\".*\">>, <<\"" + write + "\">>, <<\"" + read +
                "\">>, <<\"tests\">>).");
  }
  void change_password(const char *password) {
    broker_eval("rabbit_auth_backend_internal:change_password(<<\"" + user +
                "\">>, <<\"" + password + "\">>, <<\"tests\">>).");
  }
  rstream_env *open_user_env(const char *password = "first") {
    return open_env([&](rstream_env_options &o) {
      o.username = user.c_str();
      o.password = password;
    });
  }
  int attempt_with(rstream_env *e, std::string *text = nullptr) {
    result_reply r = ask<result_reply>([&](auto *reply) {
      return rstream_stream_create(e, stream.c_str(), nullptr, result_reply::on, reply);
    });
    if (text) *text = r.text;
    return r.status == RSTREAM_BROKER_STREAM_EXISTS ? 0 : r.status;
  }

  struct outcome {
    int status = 1;
    std::string text;
  };
  int update_secret(rstream_env *e, const char *secret, std::string *text = nullptr) {
    outcome o;
    auto on_done = [](rstream_env *, int status, const char *words, void *to) {
      *static_cast<outcome *>(to) = {status, words};
    };
    EXPECT_EQ(rstream_env_update_secret(e, secret, on_done, &o), 0);
    EXPECT_TRUE(run_until([&] { return o.status != 1; }));
    if (text) *text = o.text;
    return o.status;
  }
};

struct scenario_96 : login {};
struct scenario_97 : login {};

}  // namespace

TEST_F(login, external_by_the_clients_certificate) {
  std::string certificate = tls_dir + "/client.pem", key = tls_dir + "/client.key";
  tls.certificate_file = certificate.c_str();
  tls.key_file = key.c_str();
  auto external = [](rstream_env_options &o) {
    o.username = "nobody";  // plays no part
    o.auth = RSTREAM_AUTH_EXTERNAL;
  };
  result_reply r = attempt(0, external);
  EXPECT_EQ(r.status, 0) << r.text;
  // Without a certificate the broker does not even offer it.
  rstream_tls_options_init(&tls);
  std::string ca = ca_file();
  tls.ca_file = ca.c_str();
  r = attempt(0, external);
  EXPECT_TRUE(r.status == RSTREAM_BROKER_SASL_MECHANISM ||
              r.status == RSTREAM_BROKER_AUTHENTICATION_FAILURE)
      << r.text;
}

TEST_F(login, anonymous) {
  rstream_env *e = open_env([](rstream_env_options &o) {
    o.username = o.password = "wrong";
    o.auth = RSTREAM_AUTH_ANONYMOUS;
  });
  std::string text;
  EXPECT_EQ(attempt_with(e, &text), 0) << text;
}

// A mechanism of the application's: AMQPLAIN, which the broker has, made by hand.
TEST_F(login, the_applications_own_mechanism) {
  struct amqplain {
    static void put(std::string &to, const std::string &name, const std::string &value) {
      to += static_cast<char>(name.size());
      to += name + 'S' + std::string(3, 0) + static_cast<char>(value.size()) + value;
    }
    static int answer(rstream_login *l, void *name) {
      std::string table;
      put(table, "LOGIN", *static_cast<std::string *>(name));
      put(table, "PASSWORD", "first");
      memcpy(l->response, table.data(), table.size());
      l->response_size = table.size();
      return 0;
    }
  };
  rstream_env *e = open_env([&](rstream_env_options &o) {
    o.auth = RSTREAM_AUTH_CUSTOM;
    o.auth_mechanism = "AMQPLAIN";
    o.on_login = amqplain::answer;
    o.auth_user = &user;
  });
  std::string text;
  EXPECT_EQ(attempt_with(e, &text), 0) << text;
}

TEST_F(login, credentials_of_the_application) {
  rstream_env *e = open_env([&](rstream_env_options &o) {
    o.username = user.c_str();
    o.on_credentials = [](rstream_credentials *c, void *) {
      strcpy(c->password, "first");
      return 0;
    };
  });
  std::string text;
  EXPECT_EQ(attempt_with(e, &text), 0) << text;
}

TEST_F(scenario_96, a_wrong_password_is_final) {
  std::string text;
  EXPECT_EQ(attempt_with(open_user_env("wrong"), &text),
            RSTREAM_BROKER_AUTHENTICATION_FAILURE);
  EXPECT_EQ(rstream_error_is_retriable(RSTREAM_BROKER_AUTHENTICATION_FAILURE), 0);
  EXPECT_NE(text.find("login: authentication failure"), text.npos) << text;
}

TEST_F(scenario_96, a_virtual_host_that_is_not_the_users) {
  broker_eval("rabbit_auth_backend_internal:clear_permissions(<<\"" + user +
              "\">>, <<\"/\">>, <<\"tests\">>).");
  EXPECT_EQ(attempt_with(open_user_env()), RSTREAM_BROKER_VHOST_ACCESS);
}

TEST_F(scenario_96, no_permission_to_write_or_read) {
  permit("^$", "^$");
  rstream_env *e = open_user_env();
  producer_probe p;
  consumer_probe c;
  ASSERT_EQ(p.open(e, stream), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.ended && c.ended; }));
  EXPECT_EQ(p.end_reason, RSTREAM_BROKER_ACCESS_REFUSED) << p.end_text;
  EXPECT_EQ(c.end_reason, RSTREAM_BROKER_ACCESS_REFUSED) << c.end_text;
}

TEST_F(scenario_97, the_session_goes_on_with_a_secret_that_was_renewed) {
  rstream_env *e = open_user_env();
  producer_probe p;
  consumer_probe c;
  ASSERT_EQ(p.open(e, stream), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.opened && c.opened; }));
  ASSERT_EQ(p.send_number(0), 0);
  change_password("second");
  EXPECT_EQ(update_secret(e, "second"), 0);
  ASSERT_EQ(p.send_number(1), 0);
  ASSERT_TRUE(run_until([&] { return c.messages == 2; }));
  EXPECT_EQ(p.confirmed(), 2u);
  EXPECT_EQ(stats(e).connections_opened, 3u);
  EXPECT_EQ(stats(e).connections_lost, 0u);
  // What comes later uses it as well.
  broker_eval("[exit(P, kill) || P <- " + connections_named(name) + "].");
  ASSERT_TRUE(run_until([&] { return stats(e).connections_for_locator == 0; }));
  std::string text;
  EXPECT_EQ(attempt_with(e, &text), 0) << text;
}

TEST_F(scenario_97, a_secret_that_is_refused_is_told) {
  rstream_env *e = open_user_env();
  EXPECT_EQ(attempt_with(e), 0);
  std::string text;
  EXPECT_EQ(update_secret(e, "wrong", &text), RSTREAM_BROKER_AUTHENTICATION_FAILURE);
  EXPECT_EQ(text, "authentication failure");
  EXPECT_EQ(stats(e).connections_for_locator, 0u);
}

TEST_F(scenario_97, permissions_are_looked_at_again) {
  rstream_env *e = open_user_env();
  producer_probe p;
  ASSERT_EQ(p.open(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  permit("^$", ".*");
  EXPECT_EQ(update_secret(e, "first"), 0);
  // The broker drops the producer; whether it comes back is for the permissions to say.
  ASSERT_TRUE(run_until([&] {
    if (p.handle && !p.ended) p.send_number(p.sent);
    return p.ended > 0 || p.with_status(0) < p.told;
  }));
}
