#pragma once

// The environment: owns the locator, the pooled connections, and the lists of everything
// that is open.

#include "client/connections.h"
#include "client/endpoints.h"
#include "client/locator.h"
#include "client/login.h"
#include "client/producer_batch.h"
#include "client/recovery.h"
#include "client/stream_lookup.h"
#include "codec/compression.h"
#include "conn/conn.h"
#include "net/net.h"
#include "rstream/consumer.h"
#include "rstream/env.h"
#include "rstream/producer.h"
#include "util/object_pool.h"

namespace rstream {

// Outcomes are gathered here and told in pieces of this size. Enough to make the calls
// rare, small enough to stay in the first-level cache.
constexpr uint32_t outcome_piece = 1024;

struct slab_hold;

enum class env_state : uint8_t {
  open,
  closing_handles,
  closing_connections,
  closing_world
};

}  // namespace rstream

struct rstream_env {
  rstream::slab_pool *pool = nullptr;
  rstream::compression_set *compression = nullptr;
  rstream::net *world = nullptr;
  rstream::net_source source = {};  // of the world
  rstream::logger log;
  rstream_log_cb on_log = nullptr;
  rstream_connection_lost_cb on_connection_lost = nullptr;
  void *user = nullptr;

  rstream::conn_config config = {};  // its texts live in `texts`
  rstream::tls_config *tls = nullptr;
  char *texts[3] = {};  // virtual host, name, mechanism
  uint32_t max_producers_per_connection = 0;
  uint32_t max_consumers_per_connection = 0;
  rstream::node_choice producer_choice{};
  rstream::node_choice consumer_choice{};
  uint64_t max_bytes_in_flight = 0;  // of all producers; 0: no limit

  rstream::env_state state = rstream::env_state::open;
  rstream_env_closed_cb on_closed = nullptr;
  void *on_closed_user = nullptr;
  rstream::net_task close_task;  // looks how far closing got

  rstream::login_settings login;
  rstream::endpoints endpoints;
  rstream::locator locator;
  rstream::connections connections;
  rstream::conn_counters counters;
  rstream::open_questions questions;
  rstream::recovery_scheduler recoveries;

  rstream::list producers;
  rstream::list consumers;
  rstream::list super_producers;
  rstream::list super_consumers;
  // Producers that found it used up; apart those that have nothing in flight themselves,
  // and so nothing that could come back but from others.
  rstream::list budget_waiters;
  rstream::list idle_budget_waiters;
  uint64_t bytes_in_flight = 0;  // counted only when there is a limit
  uint64_t producers_opened = 0;
  uint32_t producer_count = 0;
  uint32_t consumer_count = 0;

  rstream::object_pool<rstream::batch> batches;
  rstream::object_pool<rstream_chunk> chunks;
  rstream::object_pool<rstream::slab_hold> slab_holds;
  uint64_t outcome_ids[rstream::outcome_piece];  // scratch

  uint64_t connections_opened = 0;
  uint64_t connections_closed = 0;  // of those opened
  uint64_t connections_lost = 0;
  uint64_t messages_sent = 0;
  uint64_t messages_confirmed = 0;
  uint64_t messages_failed = 0;
  uint64_t messages_consumed = 0;

  char error_text[256] = {};
};

namespace rstream {

using env = rstream_env;

inline memory &env_memory(env *e) { return e->pool->mem; }

struct env_settings {
  net_source source;  // of its world
  memory_functions functions;
  rstream_env_options options;  // complete and checked, texts borrowed
  rstream_tls_options tls;      // what options.tls points at, complete
};

// 0 or an error with its words in settings.options.error_text.
[[nodiscard]] int env_create(env **e, const env_settings &settings);
void env_close(env *e, rstream_env_closed_cb on_closed, void *user);
void env_stats(const env *e, rstream_env_stats &stats);

// Remembers what a call objected to, logs it, and returns `code`.
[[gnu::format(printf, 3, 4)]] int env_error(env *e, int code, const char *format, ...);

// Something that closing waits for has gone.
void env_check_closing(env *e);

}  // namespace rstream
