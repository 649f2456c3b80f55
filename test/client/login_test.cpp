// Logging in with each mechanism, and where names and secrets come from.
#include "fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct login : client_test {
  std::vector<std::string> offered = {"PLAIN", "AMQPLAIN", "EXTERNAL", "ANONYMOUS",
                                      "RIDDLE"};
  // What the broker says to each SaslAuthenticate: a challenge, or "" for its blessing.
  std::vector<std::string> challenges;
  wire::challenge_form form = wire::challenge_form::string;
  std::vector<std::string> responses;  // "MECHANISM data"

  void SetUp() override {
    client_test::SetUp();
    broker.on_frame = [this](peer_link &link, const peer_frame &f) {
      if (f.key == raw(key::sasl_handshake)) {
        std::vector<std::string_view> names(offered.begin(), offered.end());
        link.send_frame(wire::sasl_handshake_response{f.correlation_id(), 1, {names}});
        return true;
      }
      if (f.key != raw(key::sasl_authenticate)) return false;
      auto x = decoded<wire::sasl_authenticate>(f);
      responses.push_back(std::string(x.mechanism) + ' ' + text_of(x.data));
      size_t step = responses.size() - 1;
      if (step >= challenges.size()) return false;
      auto bytes = bytes_of(challenges[step]);
      link.send_frame(wire::sasl_authenticate_response{
          f.correlation_id(), raw(wire::response::sasl_challenge), bytes, form});
      return true;
    };
  }
  result attempt() {
    create();
    result r;
    if (env) ask_and_wait(r);
    return r;
  }
  void expect_refused_options(const char *words) {
    EXPECT_EQ(rstream_env_create(&env, &loop, &options), RSTREAM_EINVAL);
    EXPECT_STREQ(error_text, words);
  }
};

// An application's mechanism: says "hello", then repeats what it is asked.
struct riddle {
  int calls = 0;
  uint32_t last_step = 99;
  int status = 0;
  size_t size_said = 0;
  static int answer(rstream_login *l, void *user) {
    auto *r = static_cast<riddle *>(user);
    EXPECT_EQ(l->step, static_cast<uint32_t>(r->calls));
    EXPECT_EQ(l->renewal, 0);
    EXPECT_STREQ(l->host, "127.0.0.1");
    r->calls++;
    r->last_step = l->step;
    if (r->status < 0) return r->status;
    std::string text(static_cast<const char *>(l->challenge), l->challenge_size);
    if (l->step == 0) text = "hello";
    memcpy(l->response, text.data(), text.size());
    l->response_size = r->size_said ? r->size_said : text.size();
    return 0;
  }
};

struct vault {
  int calls = 0;
  int status = 0;
  std::string username, password;
  bool unterminated = false;
  static int open(rstream_credentials *c, void *user) {
    auto *v = static_cast<vault *>(user);
    v->calls++;
    EXPECT_EQ(c->username_capacity, 256u);
    EXPECT_EQ(c->password_capacity, 7169u);
    EXPECT_STREQ(c->password, "");
    EXPECT_EQ(c->renewal, 0);
    if (!v->username.empty()) strcpy(c->username, v->username.c_str());
    strcpy(c->password, v->password.c_str());
    if (v->unterminated) memset(c->password, 'x', c->password_capacity);
    return v->status;
  }
};

std::string plain(const std::string &user, const std::string &password) {
  return "PLAIN " + std::string(1, 0) + user + std::string(1, 0) + password;
}

}  // namespace

TEST_F(login, external_and_anonymous_say_nothing) {
  for (auto [auth, name] : {std::pair{RSTREAM_AUTH_EXTERNAL, "EXTERNAL "},
                            std::pair{RSTREAM_AUTH_ANONYMOUS, "ANONYMOUS "}}) {
    options.auth = auth;
    responses.clear();
    EXPECT_EQ(attempt().status, 0);
    EXPECT_EQ(responses, std::vector<std::string>{name});
    close_env();
    env_closed = 0;
  }
}

TEST_F(login, a_mechanism_that_is_not_offered) {
  offered = {"PLAIN"};
  options.auth = RSTREAM_AUTH_EXTERNAL;
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_BROKER_SASL_MECHANISM);
  EXPECT_EQ(r.text, "the broker does not offer the mechanism EXTERNAL");
  EXPECT_TRUE(responses.empty());
}

TEST_F(login, the_applications_mechanism_answers_challenges_of_both_forms) {
  for (auto f : {wire::challenge_form::string, wire::challenge_form::blob}) {
    riddle r;
    form = f;
    responses.clear();
    challenges = {"one", "", "three"};
    options.auth = RSTREAM_AUTH_CUSTOM;
    options.auth_mechanism = "RIDDLE";
    options.on_login = riddle::answer;
    options.auth_user = &r;
    EXPECT_EQ(attempt().status, 0);
    EXPECT_EQ(responses, (std::vector<std::string>{"RIDDLE hello", "RIDDLE one",
                                                   "RIDDLE ", "RIDDLE three"}));
    EXPECT_EQ(r.last_step, 3u);
    close_env();
    env_closed = 0;
  }
}

TEST_F(login, a_mechanism_that_does_not_end_is_ended) {
  riddle answers;
  challenges.assign(100, "again");
  options.auth = RSTREAM_AUTH_CUSTOM;
  options.auth_mechanism = "RIDDLE";
  options.on_login = riddle::answer;
  options.auth_user = &answers;
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_BROKER_SASL_ERROR);
  EXPECT_EQ(r.text, "the login does not end after 16 steps");
  EXPECT_EQ(answers.calls, 16);
}

TEST_F(login, what_the_application_refuses_to_answer) {
  riddle answers;
  answers.status = RSTREAM_EAGAIN;
  options.auth = RSTREAM_AUTH_CUSTOM;
  options.auth_mechanism = "RIDDLE";
  options.on_login = riddle::answer;
  options.auth_user = &answers;
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_EAGAIN);
  EXPECT_EQ(r.text, "no credentials for the login");
  EXPECT_TRUE(responses.empty());
  answers = {};
  answers.size_said = 7681;
  r = {};
  EXPECT_EQ(ask_and_wait(r), RSTREAM_EINVAL);
  EXPECT_TRUE(responses.empty());
}

TEST_F(login, plain_is_not_asked_riddles) {
  challenges = {"why?"};
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_BROKER_SASL_ERROR);
  EXPECT_EQ(responses.size(), 1u);
}

TEST_F(login, a_malformed_challenge) {
  broker.on_frame = [](peer_link &link, const peer_frame &f) {
    if (f.key != raw(key::sasl_authenticate)) return false;
    byte_vector answer =
        encoded(wire::response_frame{f.correlation_id(), 10}, key::sasl_authenticate);
    answer.insert(answer.end(), {0, 9, 'x'});
    answer[3] = static_cast<uint8_t>(answer[3] + 3);
    link.send(answer);
    return true;
  };
  EXPECT_EQ(attempt().status, RSTREAM_EPROTO);
}

TEST_F(login, credentials_of_the_application) {
  vault v;
  v.username = "alice";
  v.password = std::string(7168, 't');
  options.on_credentials = vault::open;
  options.auth_user = &v;
  EXPECT_EQ(attempt().status, 0);
  EXPECT_EQ(responses, std::vector<std::string>{plain("alice", v.password)});
  EXPECT_EQ(v.calls, 1);
}

TEST_F(login, the_user_name_of_the_options_is_given_to_the_application) {
  vault v;
  v.password = "p";
  options.uri = "rabbitmq-stream://bob@127.0.0.1";
  options.on_credentials = vault::open;
  options.auth_user = &v;
  EXPECT_EQ(attempt().status, 0);
  EXPECT_EQ(responses, std::vector<std::string>{plain("bob", "p")});
}

TEST_F(login, credentials_that_are_not_at_hand_or_not_terminated) {
  vault v;
  v.status = RSTREAM_EAGAIN;
  options.on_credentials = vault::open;
  options.auth_user = &v;
  EXPECT_EQ(attempt().status, RSTREAM_EAGAIN);
  v = {};
  v.unterminated = true;
  result r;
  EXPECT_EQ(ask_and_wait(r), RSTREAM_EINVAL);
  EXPECT_TRUE(responses.empty());
}

TEST_F(login, closing_from_the_callback) {
  static login *at;
  at = this;
  options.on_credentials = [](rstream_credentials *, void *) {
    auto on_closed = [](rstream_env *, void *) { at->env_closed++; };
    EXPECT_EQ(rstream_env_close(at->env, on_closed, nullptr), 0);
    return 0;
  };
  create();
  result r;
  ask(r);
  ASSERT_TRUE(run_until([&] { return env_closed > 0; }));
  EXPECT_EQ(r.status, RSTREAM_ECANCELED);
}

TEST_F(login, options_that_do_not_go_together) {
  options.auth = RSTREAM_AUTH_CUSTOM;
  expect_refused_options("RSTREAM_AUTH_CUSTOM needs auth_mechanism and on_login");
  options.auth_mechanism = "RIDDLE";
  expect_refused_options("RSTREAM_AUTH_CUSTOM needs auth_mechanism and on_login");
  options.auth = RSTREAM_AUTH_EXTERNAL;
  expect_refused_options("auth_mechanism and on_login are for RSTREAM_AUTH_CUSTOM");
  options.auth_mechanism = nullptr;
  options.on_credentials = vault::open;
  expect_refused_options("on_credentials is for PLAIN, and stands for a password");
  options.auth = RSTREAM_AUTH_PLAIN;
  options.password = "p";
  expect_refused_options("on_credentials is for PLAIN, and stands for a password");
  options.on_credentials = nullptr;
  options.auth = static_cast<rstream_auth>(4);
  expect_refused_options("auth is 4, allowed are 0 to 3");
}

TEST_F(login, secrets_never_get_into_a_log_or_an_error) {
  options.username = "somebody";
  options.password = "pA55w0rd";
  int refusals = 0;
  broker.on_frame = [&](peer_link &link, const peer_frame &f) {
    if (f.key != raw(key::sasl_authenticate)) return false;
    if (link.has(key::open) || refusals++ == 0) {
      link.answer(f, wire::response::authentication_failure);
      return true;
    }
    return false;
  };
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_BROKER_AUTHENTICATION_FAILURE);
  std::string told = r.text;
  r = {};
  EXPECT_NE(ask_and_wait(r), RSTREAM_BROKER_AUTHENTICATION_FAILURE);
  struct outcome {
    int status = 1;
    std::string text;
  } o;
  auto on_done = [](rstream_env *, int status, const char *text, void *user) {
    *static_cast<outcome *>(user) = {status, text};
  };
  ASSERT_EQ(rstream_env_update_secret(env, "t0k3n", on_done, &o), 0);
  EXPECT_TRUE(run_until([&] { return o.status != 1; }));
  EXPECT_EQ(o.status, RSTREAM_BROKER_AUTHENTICATION_FAILURE);
  std::string long_secret = std::string(7169, 't') + "0k3n";
  EXPECT_EQ(rstream_env_update_secret(env, long_secret.c_str(), nullptr, nullptr),
            RSTREAM_EINVAL);
  told += o.text + rstream_env_error_text(env);
  lines.push_back(told);
  EXPECT_TRUE(logged("authentication failure"));
  for (const char *secret : {"pA55w0rd", "t0k3n", "0k3n"}) EXPECT_FALSE(logged(secret));
}
