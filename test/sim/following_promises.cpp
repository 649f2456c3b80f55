// What is promised to consumers that store their offsets: nothing is left out, nothing
// comes twice but what was not stored, offsets go up, and one of a group is active.
#include <algorithm>
#include <cinttypes>

#include "client/consumer.h"
#include "fake/script.h"
#include "sim/model.h"

namespace rstream::sim {

namespace {

follow_group *group_of(run &r, std::string_view name, std::string_view stream) {
  for (const auto &g : r.groups) {
    if (g->name == name && r.streams[g->stream].name == stream) return g.get();
  }
  return nullptr;
}

// Its subscription as the broker has it; nullptr: none, or it can't be told.
const fake::subscription *subscription_of(const follower_model &m) {
  fake::peer *peer = peer_of_follower(m);
  fake::subscription *sub = peer ? peer->subscriptions[m.c->member.id].get() : nullptr;
  return sub && sub->group == m.group->name ? sub : nullptr;
}

bool broker_has_it_wait(const follower_model &m) {
  const fake::subscription *sub = subscription_of(m);
  return sub && sub->activity == fake::activity::waiting;
}

// Where the first message of a turn may be.
void check_begin(const follower_model &m, uint64_t offset) {
  run &r = *m.r;
  uint64_t seen_end = m.group->seen_end;
  SIM_CHECK(r, !m.found || offset == m.stored + 1,
            "follower %u of %s begins at %" PRIu64 ", %" PRIu64 " is stored", m.serial,
            m.group->name.c_str(), offset, m.stored);
  // Nothing is stored where nothing was finished; then it begins where Subscribe said.
  SIM_CHECK(r, m.found || offset <= seen_end,
            "follower %u of %s begins at %" PRIu64 ", nobody has seen %" PRIu64, m.serial,
            m.group->name.c_str(), offset, seen_end);
}

void check_group_now(run &r, const follow_group &group) {
  fake::stream *s = broker_stream(r, group.stream);
  if (!s) return;
  auto has_turn = [&](const fake::subscription *sub) {
    return sub->group == group.name && sub->activity != fake::activity::waiting;
  };
  auto turns = std::count_if(s->subscriptions.begin(), s->subscriptions.end(), has_turn);
  SIM_CHECK(r, turns <= 1, "%s has %d active members", group.name.c_str(),
            static_cast<int>(turns));
}

}  // namespace

fake::peer *peer_of_follower(const follower_model &m) {
  conn *link = m.c ? member_conn(m.c->member) : nullptr;
  if (!link || !link->link) return nullptr;
  const connection *c = reinterpret_cast<endpoint *>(link->link)->link;
  const endpoint *other = c->ends[1];
  return other && !c->silent ? static_cast<carried_peer *>(other->base.owner)->peer
                             : nullptr;
}

void check_followed(follower_model &m, const rstream_message_view &view) {
  run &r = *m.r;
  check_callback(r, m.env, "a message of a follower");
  SIM_CHECK(r, !m.closing && !m.ended, "follower %u got a message after its end",
            m.serial);
  SIM_CHECK(r, m.its_turn, "follower %u got offset %" PRIu64 " when it is not its turn",
            m.serial, view.offset);
  SIM_CHECK(r, !broker_has_it_wait(m),
            "follower %u got offset %" PRIu64 " after it answered that it stops",
            m.serial, view.offset);
  check_body(r, view.offset, view.body, view.body_size);
  if (m.fresh) {
    check_begin(m, view.offset);
  } else {
    bool again = view.offset >= m.again_from && view.offset < m.next;
    SIM_CHECK(r, view.offset == m.next || again,
              "follower %u got offset %" PRIu64 ", %" PRIu64 " was expected", m.serial,
              view.offset, m.next);
  }
  m.fresh = false;
  m.again_from = UINT64_MAX;
  m.next = view.offset + 1;
  m.group->seen_end = std::max(m.group->seen_end, m.next);
  r.report.messages_followed++;
}

void check_queried(run &r, const fake::peer &from, const fake::frame &fr) {
  wire::query_offset x;
  if (!fake::decoded(fr, x)) return;
  follow_group *group = group_of(r, x.reference, x.stream);
  if (!group) return;
  fake::stream *s = broker_stream(r, group->stream);
  if (!s) return;
  auto stored = s->offsets.find(group->name);
  for (const auto &m : r.followers) {
    if (m->group != group || peer_of_follower(*m) != &from) continue;
    m->found = stored != s->offsets.end();
    m->stored = m->found ? stored->second : 0;
  }
}

void check_offset_stored(run &r, const fake::peer &from, const fake::frame &fr) {
  wire::store_offset x;
  if (!fake::decoded(fr, x)) return;
  follow_group *group = group_of(r, x.reference, x.stream);
  if (!group) return;
  r.report.offsets_stored++;
  SIM_CHECK(r, x.offset < group->seen_end,
            "%s: %" PRIu64 " is stored, nobody has seen %" PRIu64, group->name.c_str(),
            x.offset, group->seen_end);
  fake::stream *s = broker_stream(r, group->stream);
  if (!s) return;
  auto stored = s->offsets.find(group->name);
  // What was on its way through an old connection can't be called back.
  bool late = !group->single &&
              std::none_of(r.followers.begin(), r.followers.end(), [&](const auto &m) {
                return m->group == group && peer_of_follower(*m) == &from;
              });
  SIM_CHECK(r, late || stored == s->offsets.end() || x.offset >= stored->second,
            "%s: %" PRIu64 " is stored over %" PRIu64, group->name.c_str(), x.offset,
            stored->second);
}

void check_followers_now(run &r) {
  for (const auto &group : r.groups) check_group_now(r, *group);
  for (const auto &m : r.followers) {
    if (!m->c || m->closing || !m->group->single) continue;
    bool active = rstream_consumer_activity(m->c) == RSTREAM_ACTIVITY_ACTIVE;
    SIM_CHECK(r, !active || !broker_has_it_wait(*m),
              "follower %u thinks it is active, the broker does not", m->serial);
  }
}

bool followers_settled(run &r, std::string &why) {
  for (const auto &m : r.followers) {
    if (!m->c || m->closing || m->ended) continue;
    const follow_group &group = *m->group;
    fake::stream *s = broker_stream(r, group.stream);
    if (m->open && (!s || group.seen_end >= s->committed_offset)) continue;
    why = "follower " + std::to_string(m->serial) + " of " + group.name +
          (m->open ? " stands at " + std::to_string(group.seen_end) : " is not open");
    return false;
  }
  return true;
}

}  // namespace rstream::sim
