// Consumers that store their offsets: under a name each, one after the other, and in
// groups of which one is active. What happens to them; what is promised to them is in
// following_promises.cpp.
#include <algorithm>

#include "fake/script.h"
#include "sim/model.h"

namespace rstream::sim {

namespace {

constexpr size_t most_followers = 8;

follower_model &follower_at(void *user) { return *static_cast<follower_model *>(user); }

// ---- callbacks

void on_message(rstream_consumer *, const rstream_message_view *view, void *user) {
  check_followed(follower_at(user), *view);
}

void on_chunk(rstream_consumer *, rstream_chunk *chunk, void *user) {
  follower_model &m = follower_at(user);
  run &r = *m.r;
  while (const rstream_message_view *view = rstream_chunk_next(chunk))
    check_followed(m, *view);
  if (r.phase != phase::acting || !random_chance(r.chance, 200)) return;
  rstream_chunk_retain(chunk);
  m.held.push_back(chunk);
}

rstream_update_reply on_update(rstream_consumer *, int active, void *user) {
  follower_model &m = follower_at(user);
  run &r = *m.r;
  check_callback(r, m.env, "on_update");
  SIM_CHECK(r, !m.closing && !m.ended, "follower %u: on_update after its end", m.serial);
  SIM_CHECK(r, (active != 0) != m.its_turn, "follower %u: told twice that it is %s",
            m.serial, active ? "active" : "not");
  m.its_turn = m.fresh = active != 0;
  r.report.turns += m.its_turn;
  m.owes_answer = r.phase == phase::acting && random_chance(r.chance, 300);
  return m.owes_answer ? RSTREAM_UPDATE_LATER : RSTREAM_UPDATE_DEFAULT;
}

void on_state(rstream_consumer *, const rstream_state *state, void *user) {
  follower_model &m = follower_at(user);
  run &r = *m.r;
  check_callback(r, m.env, "on_state");
  SIM_CHECK(r, !m.closing && !m.ended, "follower %u: a state after its end", m.serial);
  m.open = state->state == RSTREAM_STATE_OPEN;
  m.ended = state->state == RSTREAM_STATE_CLOSED;
  if (m.open) return;
  // Where it goes on is for the broker to say, whom it asks anew.
  if (m.group->single) m.its_turn = false;
  m.owes_answer = false;
}

void on_chunk_error(rstream_consumer *, const rstream_chunk_error *error, void *user) {
  follower_model &m = follower_at(user);
  run &r = *m.r;
  check_callback(r, m.env, "on_chunk_error");
  SIM_CHECK(r, error->status == RSTREAM_ECHECKSUM, "follower %u: a chunk with status %d",
            m.serial, error->status);
  if (m.options.streaming_min_bytes > 0) m.again_from = error->first_offset;
}

void on_closed(rstream_consumer *, int, void *user) {
  follower_model &m = follower_at(user);
  check_callback(*m.r, m.env, "on_closed of a follower");
  m.closed = true;
  m.c = nullptr;
}

// ---- what the application does

template <class F>
follower_model *pick_follower(run &r, F usable) {
  follower_model *picked = nullptr;
  uint64_t seen = 0;
  for (const auto &m : r.followers) {
    bool fits = m->c && !m->closing && usable(*m);
    if (fits && random_below(r.chance, ++seen) == 0) picked = m.get();
  }
  return picked;
}

bool name_in_use(const run &r, const follow_group &group) {
  return std::any_of(r.followers.begin(), r.followers.end(), [&](const auto &m) {
    return m->group == &group && !m->closed && !m->env->closed;
  });
}

env_model *pick_env(run &r) {
  env_model *picked = nullptr;
  uint64_t seen = 0;
  for (const auto &m : r.envs) {
    bool fits = m->env && !m->closing && !m->refused;
    if (fits && random_below(r.chance, ++seen) == 0) picked = m.get();
  }
  return picked;
}

void draw_options(follower_model &m) {
  run &r = *m.r;
  rstream_consumer_options &o = m.options;
  rstream_consumer_options_init(&o);
  o.stream = r.streams[m.group->stream].name.c_str();
  o.name = m.group->name.c_str();
  o.offset_type = RSTREAM_OFFSET_FIRST;
  o.user = &m;
  o.on_state = on_state;
  o.on_chunk_error = on_chunk_error;
  if (random_chance(r.chance, 500)) {
    o.on_chunk = on_chunk;
  } else {
    o.on_message = on_message;
    o.streaming_min_bytes = pick<uint32_t>(r, {0, 0, 1, 1000});
  }
  if (m.group->single) {
    o.single_active = 1;
    o.on_update = on_update;
  }
  o.initial_credit = pick<uint16_t>(r, {0, 1, 2, 20});
  o.max_bytes_held = pick<uint64_t>(r, {0, 0, 3000, 100000});
  o.store_every_messages = pick<uint32_t>(r, {1, 5, 100, 0});
  o.store_interval_ms = pick<uint32_t>(r, {1, 50, 500, 0});
  o.update_timeout_ms = pick<uint32_t>(r, {0, 20, 1000});
  o.retry_opening = 1;
}

void open_follower(run &r) {
  env_model *env = pick_env(r);
  size_t count = static_cast<size_t>(
      std::count_if(r.followers.begin(), r.followers.end(),
                    [](const auto &m) { return m->c && !m->closing; }));
  follow_group &group = *r.groups[random_below(r.chance, r.groups.size())];
  if (!env || count >= most_followers || (!group.single && name_in_use(r, group))) return;
  auto owned = std::make_unique<follower_model>();
  follower_model &m = *owned;
  m.r = &r;
  m.env = env;
  m.group = &group;
  m.serial = static_cast<uint32_t>(r.followers.size());
  m.its_turn = !group.single;
  draw_options(m);
  r.followers.push_back(std::move(owned));
  trace_line(r.s, nullptr, "application opens follower %u, %s", m.serial, m.options.name);
  calling inside(r);
  int rc = rstream_consumer_open(&m.c, env->env, &m.options);
  SIM_CHECK(r, rc == 0 || rc == RSTREAM_ECLOSED, "can't open a follower: %s",
            rstream_error_text(rc));
  if (rc < 0) m.closed = true;
  r.report.followers += rc == 0;
}

void release_one(follower_model &m) {
  rstream_chunk *chunk = m.held.back();
  m.held.pop_back();
  calling inside(*m.r);
  rstream_chunk_release(chunk);
}

void close_follower(follower_model &m) {
  trace_line(m.r->s, nullptr, "application closes follower %u", m.serial);
  m.closing = true;
  calling inside(*m.r);
  int rc = rstream_consumer_close(m.c, on_closed);
  SIM_CHECK(*m.r, rc == 0, "follower %u: closing: %s", m.serial, rstream_error_text(rc));
}

void pause_or_resume(follower_model &m) {
  calling inside(*m.r);
  m.paused = !m.paused;
  int rc = m.paused ? rstream_consumer_pause(m.c) : rstream_consumer_resume(m.c);
  SIM_CHECK(*m.r, rc == 0 || m.ended, "follower %u: pausing: %s", m.serial,
            rstream_error_text(rc));
}

// Its time may be over, or the question with the connection.
void answer(follower_model &m) {
  m.owes_answer = false;
  calling inside(*m.r);
  int rc = rstream_consumer_update_done(m.c, RSTREAM_OFFSET_DEFAULT, 0);
  SIM_CHECK(*m.r, rc == 0 || rc == RSTREAM_EBUSY || m.ended, "follower %u: answering: %s",
            m.serial, rstream_error_text(rc));
}

void rotate(run &r) {
  const follow_group &group = *r.groups[random_below(r.chance, r.groups.size())];
  fake::stream *s = broker_stream(r, group.stream);
  if (group.single && s) fake::sac_rotate(*s, group.name);
}

void spoil_chunk(run &r) {
  follower_model *m = pick_follower(r, [](const auto &) { return true; });
  fake::peer *peer = m ? peer_of_follower(*m) : nullptr;
  if (!peer) return;
  for (const auto &sub : peer->subscriptions) {
    if (!sub || sub->properties["name"] != m->group->name) continue;
    sub->spoiled = 1;
    r.report.chunks_spoiled++;
  }
}

}  // namespace

void following_start(run &r) {
  bool has_groups = r.brokers.cluster->options.version != "3.10";
  for (size_t i = 0; i < r.streams.size(); i++) {
    if (!r.streams[i].stable) continue;
    for (const char *kind : {"one", "two", "group"}) {
      auto group = std::make_unique<follow_group>();
      group->name = std::string(kind) + std::to_string(i);
      group->stream = i;
      group->single = group->name[0] == 'g';
      if (has_groups || !group->single) r.groups.push_back(std::move(group));
    }
  }
  for (const auto &node : r.brokers.cluster->nodes) {
    fake::on_frame(*node, wire::key::query_offset,
                   [&r](fake::peer &from, const fake::frame &fr) {
                     check_queried(r, from, fr);
                     return fake::verdict::pass;
                   });
    fake::on_frame(*node, wire::key::store_offset,
                   [&r](fake::peer &from, const fake::frame &fr) {
                     check_offset_stored(r, from, fr);
                     return fake::verdict::pass;
                   });
  }
}

void follow_some(run &r) {
  if (!random_chance(r.chance, r.p.follows)) return;
  auto any = [](const follower_model &) { return true; };
  switch (random_below(r.chance, 10)) {
  case 0:
    if (follower_model *m = pick_follower(r, any)) close_follower(*m);
    break;
  case 1:
  case 2:
    if (follower_model *m = pick_follower(r, any)) pause_or_resume(*m);
    break;
  case 3:
  case 4:
    if (follower_model *m =
            pick_follower(r, [](const auto &f) { return !f.held.empty(); }))
      release_one(*m);
    break;
  case 5:
    if (follower_model *m = pick_follower(r, [](const auto &f) { return f.owes_answer; }))
      answer(*m);
    break;
  case 6: rotate(r); break;
  case 7:
    if (r.p.faults) spoil_chunk(r);
    break;
  default: open_follower(r);
  }
}

void followers_forget(const env_model &env) {
  for (const auto &m : env.r->followers) {
    if (m->env != &env) continue;
    m->closing = true;
    m->c = nullptr;
  }
}

void followers_go_on(run &r) {
  for (const auto &m : r.followers) {
    while (!m->held.empty()) release_one(*m);
    if (!m->c || m->closing) continue;
    if (m->paused) pause_or_resume(*m);
    if (m->owes_answer) answer(*m);
  }
}

}  // namespace rstream::sim
