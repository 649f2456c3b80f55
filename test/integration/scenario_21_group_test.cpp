// Scenario 21: three processes share the partitions of a super stream, and one of them is
// killed.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "super_streams.h"

using namespace rstream::test;

namespace {

struct read_message {
  uint64_t offset;
  std::string body;
};

// One running integration_member, and what it has printed so far.
struct member_process {
  pid_t pid = -1;
  int out = -1;
  uv_poll_t poll;  // of it
  bool closed = false;
  std::string rest;  // of a line
  bool joined = false;
  std::set<std::string> active;  // partitions
  std::map<std::string, std::vector<read_message>> messages;
  std::map<std::string, uint64_t> stored;

  bool start(uv_loop_t *loop, const std::string &super_stream, uint64_t stored_after) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    pid = fork();
    if (pid == 0) {
      dup2(ends[1], STDOUT_FILENO);
      std::string after = std::to_string(stored_after);
      execl(RSTREAM_MEMBER, RSTREAM_MEMBER, broker_uri(), super_stream.c_str(), "group",
            after.c_str(), nullptr);
      _exit(127);
    }
    ::close(ends[1]);
    out = ends[0];
    uv_poll_init(loop, &poll, out);
    poll.data = this;
    uv_poll_start(&poll, UV_READABLE, [](uv_poll_t *p, int, int) {
      static_cast<member_process *>(p->data)->take();
    });
    return pid > 0;
  }
  void kill_it() {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    pid = -1;
    take();
    uv_close(reinterpret_cast<uv_handle_t *>(&poll), [](uv_handle_t *p) {
      auto *self = static_cast<member_process *>(p->data);
      ::close(self->out);
      self->closed = true;
    });
  }
  // What it has printed by now.
  void take() {
    char some[4096];
    ssize_t n;
    while ((n = ::read(out, some, sizeof some)) > 0) {
      rest.append(some, static_cast<size_t>(n));
      for (size_t end; (end = rest.find('\n')) != rest.npos; rest.erase(0, end + 1))
        note(rest.substr(0, end));
    }
  }
  void note(const std::string &line) {
    std::istringstream words(line);
    std::string first, second;
    words >> first;
    if (first == "joined") {
      joined = true;
    } else if (first[0] == '+') {
      active.insert(first.substr(1));
    } else if (first[0] == '-') {
      active.erase(first.substr(1));
    } else if (first == "stored") {
      words >> second >> stored[second];
    } else {
      read_message m;
      words >> m.offset >> m.body;
      messages[first].push_back(m);
    }
  }
};

struct scenario_21 : super_streams {
  static constexpr uint64_t stored_after = 10;
  std::deque<member_process> members;
  int sent = 0;

  void TearDown() override {
    for (member_process &m : members) {
      m.kill_it();
      EXPECT_TRUE(run_until([&] { return m.closed; }));
    }
    super_streams::TearDown();
  }
  void join() {
    member_process &m = members.emplace_back();
    ASSERT_TRUE(m.start(&loop, name_of_super, stored_after));
    ASSERT_TRUE(run_until([&] { return m.joined; }));
  }
  // Each has one partition.
  bool shared() const {
    std::set<std::string> all;
    for (const member_process &m : members) {
      if (m.active.size() != 1) return false;
      all.insert(*m.active.begin());
    }
    return all.size() == members.size();
  }
  void publish_more(super_probe &p, int count) {
    for (int i = 0; i < count; i++, sent++)
      ASSERT_EQ(p.send(key_of(sent), std::to_string(sent)), 0);
    ASSERT_TRUE(run_until([&] { return p.by_status[0] == static_cast<uint64_t>(sent); }));
  }
  // The broker does not tell when it has stored an offset.
  bool is_stored(const std::string &partition, uint64_t offset) {
    uint64_t deadline = uv_hrtime() + 30000000000u;
    while (uv_hrtime() < deadline) {
      auto reply = ask<value_reply>([&](auto *r) {
        return rstream_query_offset(env, "group", partition.c_str(), value_reply::on, r);
      });
      if (reply.status == 0 && reply.value == offset) return true;
    }
    return false;
  }
  bool all_read() const {
    for (const auto &[partition, count] : producers.front().stored) {
      if (read_of(partition) != count) return false;
    }
    return true;
  }
  static std::string key_of(int i) { return "key-" + std::to_string(i); }
  // How many messages of the partition were read by anybody, each once.
  size_t read_of(const std::string &partition) const {
    std::set<std::string> bodies;
    for (const member_process &m : members) {
      auto some = m.messages.find(partition);
      if (some == m.messages.end()) continue;
      for (const read_message &x : some->second) bodies.insert(x.body);
    }
    return bodies.size();
  }
  // What the partition holds behind an offset.
  std::vector<read_message> behind(const group_probe &all, const std::string &partition,
                                   uint64_t offset) const {
    std::vector<read_message> some;
    for (size_t i = 0; i < all.offsets.at(partition).size(); i++) {
      uint64_t at = all.offsets.at(partition)[i];
      if (at > offset) some.push_back({at, all.bodies.at(partition)[i]});
    }
    return some;
  }
};

std::string shown(const std::vector<read_message> &messages) {
  std::string text;
  for (const read_message &m : messages)
    text += std::to_string(m.offset) + ':' + m.body + ' ';
  return text;
}

}  // namespace

TEST_F(scenario_21, a_member_is_killed_and_one_other_goes_on_behind_what_was_stored) {
  ASSERT_EQ(make(3), 0);
  for (int i = 0; i < 3; i++) join();
  ASSERT_TRUE(run_until([&] { return shared(); }));
  super_probe &p = producers.emplace_back();
  ASSERT_EQ(p.open(env, name_of_super), 0);
  publish_more(p, 300);
  member_process &victim = members[1];
  const std::string lost = *victim.active.begin();
  ASSERT_TRUE(run_until([&] { return all_read(); }));
  ASSERT_EQ(victim.stored.count(lost), 1u);
  const uint64_t stored = victim.stored[lost];
  ASSERT_GT(victim.messages[lost].back().offset, stored) << "some are read, not stored";
  ASSERT_TRUE(is_stored(lost, stored));

  victim.kill_it();
  publish_more(p, 300);
  ASSERT_TRUE(run_until([&] { return all_read(); }));
  ASSERT_EQ(members[0].active.count(lost) + members[2].active.count(lost), 1u);
  member_process &heir = members[0].active.count(lost) ? members[0] : members[2];
  member_process &other = &heir == &members[0] ? members[2] : members[0];
  EXPECT_TRUE(other.messages[lost].empty());
  group_probe &all = consumers.emplace_back();
  ASSERT_EQ(all.open(env, name_of_super), 0);
  ASSERT_TRUE(run_until([&] { return all.count == 600; }));
  EXPECT_EQ(shown(heir.messages[lost]), shown(behind(all, lost, stored)));
}
