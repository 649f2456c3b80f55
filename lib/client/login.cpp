#include "client/login.h"

#include <cstring>

#include "client/env.h"

namespace rstream {

namespace {

struct secret_update {
  list_node node;
  uint64_t number = 0;  // of the secret
  int status = 0;
  char text[128] = {};
  rstream_secret_cb on_done = nullptr;
  void *user = nullptr;
};

secret_update *update_of(list_node *node) {
  return RSTREAM_OWNER(node, secret_update, node);
}

constexpr size_t username_capacity = 256;
constexpr size_t password_capacity = max_secret_bytes + 1;

bool terminated(const char *text, size_t capacity) { return memchr(text, 0, capacity); }

// An empty authorization identity, the user, the password, each after a NUL.
ptrdiff_t write_plain(const char *username, const char *password, std::span<uint8_t> to) {
  size_t user = strlen(username), secret = strlen(password);
  if (2 + user + secret > to.size()) return RSTREAM_EINVAL;
  to[0] = 0;
  memcpy(&to[1], username, user);
  to[1 + user] = 0;
  memcpy(&to[2 + user], password, secret);
  return static_cast<ptrdiff_t>(2 + user + secret);
}

ptrdiff_t ask_credentials(env *e, const conn_login &login, std::span<uint8_t> to) {
  char username[username_capacity] = "";
  char password[password_capacity] = "";
  strncpy(username, e->login.username, sizeof username - 1);
  rstream_credentials c{};
  c.struct_size = sizeof c;
  c.host = login.host;
  c.port = login.port;
  c.renewal = login.renewal;
  c.username = username;
  c.username_capacity = sizeof username;
  c.password = password;
  c.password_capacity = sizeof password;
  ptrdiff_t n = e->login.on_credentials(&c, e->login.user);
  bool whole =
      terminated(username, sizeof username) && terminated(password, sizeof password);
  if (n >= 0 && !whole) n = RSTREAM_EINVAL;
  if (n >= 0) n = write_plain(username, password, to);
  memory_wipe(password, sizeof password);
  return n;
}

ptrdiff_t ask_application(env *e, const conn_login &login, std::span<uint8_t> to) {
  rstream_login l{};
  l.struct_size = sizeof l;
  l.host = login.host;
  l.port = login.port;
  l.renewal = login.renewal;
  l.step = login.step;
  l.challenge = login.challenge.data();
  l.challenge_size = login.challenge.size();
  l.response = to.data();
  l.response_capacity = to.size();
  int rc = e->login.on_login(&l, e->login.user);
  if (rc < 0) return rc;
  if (l.response_size > to.size()) return RSTREAM_EINVAL;
  return static_cast<ptrdiff_t>(l.response_size);
}

ptrdiff_t respond(void *arg, const conn_login &login, std::span<uint8_t> to) {
  auto *e = static_cast<env *>(arg);
  if (e->login.auth == RSTREAM_AUTH_CUSTOM) return ask_application(e, login, to);
  if (login.step > 0) return RSTREAM_BROKER_SASL_ERROR;  // these have nothing more to say
  if (e->login.auth != RSTREAM_AUTH_PLAIN) return 0;
  if (e->login.on_credentials) return ask_credentials(e, login, to);
  return write_plain(e->login.username, e->login.password, to);
}

const char *mechanism_of(const rstream_env_options &o) {
  switch (o.auth) {
  case RSTREAM_AUTH_EXTERNAL: return "EXTERNAL";
  case RSTREAM_AUTH_ANONYMOUS: return "ANONYMOUS";
  case RSTREAM_AUTH_CUSTOM: return o.auth_mechanism;
  default: return "PLAIN";
  }
}

void release_secret(env *e, char *secret) {
  if (secret) memory_wipe(secret, strlen(secret));
  memory_release(env_memory(e), secret);
}

// Calls f for each connection until it returns true.
template <class F>
bool any_connection(env *e, F f) {
  if (e->locator.link && f(e->locator.link)) return true;
  for (list &all : e->connections.of_kind) {
    for (list_node *n = all.next; n != &all; n = n->next) {
      conn *c = RSTREAM_OWNER(n, shared_conn, node)->link;
      if (c && f(c)) return true;
    }
  }
  return false;
}

bool waits_for(env *e, const secret_update *u) {
  return any_connection(e, [&](conn *c) { return !conn_has_secret(c, u->number); });
}

void finish(env *e, secret_update *u) {
  list_remove(u->node);
  rstream_secret_cb on_done = u->on_done;
  void *user = u->user;
  int status = u->status;
  char text[sizeof u->text];
  memcpy(text, u->text, sizeof text);
  memory_delete(env_memory(e), u);
  if (on_done) on_done(e, status, text, user);
}

void on_update_task(net_task *task) {
  env *e = RSTREAM_OWNER(task, env, login.update_task);
  // In order, and none before one that was asked for earlier.
  while (!list_empty(e->login.updates)) {
    secret_update *u = update_of(e->login.updates.next);
    if (u->status != RSTREAM_ECANCELED && waits_for(e, u)) break;
    finish(e, u);
  }
  env_check_closing(e);
}

}  // namespace

int login_init(env *e, const rstream_env_options &o, const char *username,
               const char *password) {
  login_settings &l = e->login;
  l.auth = o.auth;
  l.on_credentials = o.on_credentials;
  l.on_login = o.on_login;
  l.user = o.auth_user;
  l.update_task.run = on_update_task;
  l.username = memory_copy_text(env_memory(e), username);
  l.password = memory_copy_text(env_memory(e), password);
  e->texts[2] = memory_copy_text(env_memory(e), mechanism_of(o));
  e->config.auth = {e->texts[2], respond, e};
  return l.username && l.password && e->texts[2] ? 0 : RSTREAM_ENOMEM;
}

void login_release(env *e) {
  release_secret(e, e->login.password);
  memory_release(env_memory(e), e->login.username);
}

int login_update(env *e, const char *secret, rstream_secret_cb on_done, void *user) {
  auto *u = memory_new<secret_update>(env_memory(e));
  if (!u) return RSTREAM_ENOMEM;
  if (secret) {
    char *copy = memory_copy_text(env_memory(e), secret);
    if (!copy) {
      memory_delete(env_memory(e), u);
      return RSTREAM_ENOMEM;
    }
    release_secret(e, e->login.password);
    e->login.password = copy;
  }
  u->number = ++e->config.secret;
  u->on_done = on_done;
  u->user = user;
  list_push_back(e->login.updates, u->node);
  any_connection(e, [](conn *c) {
    conn_renew_login(c);
    return false;
  });
  login_progress(e);
  return 0;
}

void login_progress(env *e) {
  if (!list_empty(e->login.updates))
    net_task_queue(*e->world, e->login.update_task, task_stage::gather);
}

void login_renewed(env *e, int status, const char *text) {
  for (list_node *n = e->login.updates.next; status < 0 && n != &e->login.updates;
       n = n->next) {
    secret_update *u = update_of(n);
    if (u->status < 0) continue;
    u->status = status;
    strncpy(u->text, text, sizeof u->text - 1);
  }
  login_progress(e);
}

void login_cancel(env *e) {
  list &all = e->login.updates;
  for (list_node *n = all.next; n != &all; n = n->next) {
    update_of(n)->status = RSTREAM_ECANCELED;
  }
  login_progress(e);
}

}  // namespace rstream
