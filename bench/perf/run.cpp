#include "perf/run.h"

#include <unistd.h>

#include <cinttypes>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "perf/embedded.h"
#include "perf/report.h"
#include "perf/requests.h"

namespace perf {

namespace {

constexpr int step_ms = 50;
constexpr uint64_t second_us = 1000000;
constexpr uint64_t stop_us = 10 * second_us;   // for a worker to close everything
constexpr uint64_t stored_us = 5 * second_us;  // for the broker to store an offset
constexpr uint64_t linger_us = second_us / 4;  // listening for what should not come

volatile sig_atomic_t interrupts = 0;
volatile sig_atomic_t time_is_over = 0;

void on_signal(int) {
  if (interrupts > 0) _exit(130);  // the second time
  interrupts = 1;
}

void on_time_signal(int) { time_is_over = 1; }

// The main thread: steps an environment of its own, which creates and deletes the stream,
// and looks at what the workers tell. They do the work.
struct session {
  explicit session(const options &asked) : o(asked) {}

  const options &o;
  embedded_broker broker;  // with --embedded
  rstream_env *env = nullptr;
  bool created = false;
  bool failed = false;
  publish_load publish;
  consume_load consume;
  bool publishing = false;  // the worker was started
  bool consuming = false;
  bool interrupted = false;
  bool ended_early = false;  // as if --time were over
  bool stalled = false;
  progress last;  // as of the last line
  uint64_t moved_count = 0;
  uint64_t moved_us = 0;                     // when anything last moved
  std::vector<stored_offset> stored_before;  // by name, see consumer_name_count()
  stored_offset stored;                      // in the end: the lowest of all names
};

__attribute__((format(printf, 2, 3))) bool fail(session &s, const char *format, ...) {
  s.failed = true;
  va_list args;
  va_start(args, format);
  fputs("rstream-perf: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  return false;
}

// ---- requests of the main thread

bool create_stream(session &s) {
  const options &o = s.o;
  answer a = o.super_stream != nullptr
                 ? ask_create_super(s.env, o.super_stream, o.partitions)
                 : ask_create(s.env, o.stream);
  s.created = a.status == 0;
  // With other arguments than ours it exists as well.
  if (s.created || a.status == RSTREAM_BROKER_STREAM_EXISTS ||
      a.status == RSTREAM_BROKER_PRECONDITION_FAILED) {
    return true;
  }
  return fail(s, "creating stream %s: %s", stream_name(o), a.text);
}

handle_name consumer_name(const session &s, size_t index) {
  return numbered_name(s.o.consumer_name, consumer_name_count(s.o),
                       static_cast<uint32_t>(index));
}

bool query_stored(session &s, size_t index, stored_offset &stored) {
  handle_name name = consumer_name(s, index);
  answer a = ask_stored_offset(s.env, name.text, s.o.stream);
  stored.found = a.status == 0;
  stored.offset = a.value;
  if (stored.found || a.status == RSTREAM_BROKER_NO_OFFSET) return true;
  return fail(s, "the offset stored under %s: %s", name.text, a.text);
}

// Where consumers stood. In a new stream there is nothing to ask for, and it may not be
// ready to answer yet.
bool query_stored_before(session &s) {
  if (s.o.super_stream != nullptr) return true;  // each partition has its own
  s.stored_before.resize(consumer_name_count(s.o));
  for (size_t i = 0; !s.created && i < s.stored_before.size(); i++) {
    if (!query_stored(s, i, s.stored_before[i])) return false;
  }
  return true;
}

// Who publishes and consumes takes what it consumes for its own. That holds from `next`
// on, or in a stream that was empty.
bool check_start(session &s) {
  const options &o = s.o;
  if (!query_stored_before(s)) return false;
  if (s.created || o.producers == 0 || o.consumers == 0) return true;
  for (size_t i = 0; i < s.stored_before.size(); i++) {
    if (s.stored_before[i].found)
      return fail(s,
                  "consumer %s has begun to read stream %s already: use --consume-only",
                  consumer_name(s, i).text, o.stream);
  }
  if (o.offset_type == RSTREAM_OFFSET_NEXT || o.super_stream != nullptr) return true;
  answer a = ask_empty(s.env, o.stream);
  if (a.status != 0) return fail(s, "stream %s: %s", o.stream, a.text);
  if (a.value == 1) return true;
  return fail(s, "stream %s has messages already: use %s--consume-only", o.stream,
              o.single_active ? "" : "--offset next, or ");
}

void delete_stream(session &s) {
  if (!s.created || s.o.keep) return;
  const options &o = s.o;
  answer a = o.super_stream != nullptr ? ask_delete_super(s.env, o.super_stream)
                                       : ask_delete(s.env, o.stream);
  if (a.status != 0) fail(s, "deleting stream %s: %s", stream_name(o), a.text);
}

// ---- what the broker has stored in the end

// It never confirms that it did, so it is asked until it has. 0: nothing was consumed.
bool await_stored(session &s, size_t index, uint64_t end) {
  stored_offset stored;
  uint64_t until = now_us() + stored_us;
  bool enough = false;
  while (!enough) {
    if (!query_stored(s, index, stored)) return false;
    enough = end == 0 || (stored.found && stored.offset + 1 >= end);
    if (!enough && now_us() >= until) break;
    if (!enough && rstream_env_run(s.env, step_ms) != 0) break;
  }
  if (index == 0 || !stored.found || stored.offset < s.stored.offset) s.stored = stored;
  // Behind the last one wanted there may be others; and others may work for the group.
  bool exact = !s.o.single_active && s.o.filter.count == 0;
  if (enough && (!exact || end == 0 || stored.offset + 1 == end)) return true;
  char what[32] = "nothing";
  if (stored.found) snprintf(what, sizeof what, "%" PRIu64, stored.offset);
  return fail(s, "%s has stored %s, but the last message consumed was at %" PRIu64,
              consumer_name(s, index).text, what, end - 1);
}

// Once all consumers are closed.
void check_stored(session &s) {
  if (s.failed || s.o.super_stream != nullptr) return;
  for (uint32_t i = 0; i < consumer_name_count(s.o); i++) {
    uint64_t end = s.o.verify ? s.consume.verifiers[i].next_offset : 0;
    if (!await_stored(s, i, end)) return;
  }
}

void on_closed(rstream_env *, void *user) { *static_cast<bool *>(user) = true; }

void close_env(session &s) {
  bool closed = false;
  uint64_t limit = now_us() + stop_us;
  if (rstream_env_close(s.env, on_closed, &closed) != 0) return;
  while (!closed && now_us() < limit) {
    if (rstream_env_run(s.env, step_ms) != 0) break;
  }
  if (!closed) fail(s, "the environment did not close");
}

// ---- watching the workers

progress progress_now(const session &s) {
  progress p;
  p.start_us = s.last.start_us;
  p.line_us = now_us();
  p.published = value_of(s.publish.published);
  p.confirmed = value_of(s.publish.confirmed);
  p.errored = value_of(s.publish.errored);
  p.consumed = consume_count(s.consume);
  p.behind = value_of(s.consume.behind);
  return p;
}

// What was published is still confirmed and consumed, so that the figures stay true.
void interrupt(session &s) {
  if (s.interrupted) return;
  s.interrupted = true;
  fail(s, "interrupted, ending");
  if (s.publishing) {
    publish_end_early(s.publish);
  } else if (s.consuming) {
    consume_set_target(s.consume, 0);
  }
}

void end_time(session &s) {
  if (s.ended_early || !s.publishing || s.o.time_s == 0) return;
  s.ended_early = true;
  publish_end_early(s.publish);
}

// Steps the own environment once, prints a line when a second has passed. False when it
// is time to give up.
bool watch(session &s) {
  if (rstream_env_run(s.env, step_ms) != 0) return fail(s, "the environment is gone");
  progress now = progress_now(s);
  uint64_t count = now.published + now.confirmed + now.errored + now.consumed;
  if (count != s.moved_count) {
    s.moved_count = count;
    s.moved_us = now.line_us;
  }
  if (now.line_us - s.last.line_us >= second_us) progress_line(s.last, now, s.o);
  if (interrupts > 0) interrupt(s);
  if (time_is_over) end_time(s);
  // A low rate is allowed its pauses.
  uint64_t pause_us = s.o.rate > 0 ? 2 * second_us / s.o.rate : 0;
  bool may_be_quiet = s.o.producers == 0 && s.o.time_s > 0;
  if (!may_be_quiet && now.line_us - s.moved_us > s.o.stall_s * second_us + pause_us) {
    s.stalled = true;
    return fail(s, "nothing moved for %d seconds", static_cast<int>(s.o.stall_s));
  }
  return true;
}

bool failed(const worker &w) { return stage_of(w) >= stage::finished && w.failed; }

// False also when a worker fails meanwhile.
bool watch_until(session &s, const worker &w, stage wanted) {
  while (stage_of(w) < wanted) {
    if (!watch(s)) return false;
    if (s.publishing && failed(s.publish)) return false;
    if (s.consuming && failed(s.consume)) return false;
  }
  return !failed(w);
}

bool start_consumers(session &s, uint32_t run) {
  if (!consume_start(s.consume, s.o, run, s.stored_before))
    return fail(s, "%s", s.consume.error);
  s.consuming = true;
  // Whatever is published after this is seen.
  return watch_until(s, s.consume, stage::running);
}

bool publish_all(session &s, uint32_t run) {
  if (!publish_start(s.publish, s.o, run)) return fail(s, "%s", s.publish.error);
  s.publishing = true;
  return watch_until(s, s.publish, stage::finished);
}

bool consume_all(session &s) {
  if (s.publishing) consume_set_target(s.consume, value_of(s.publish.wanted));
  while (stage_of(s.consume) < stage::finished) {
    if (!watch(s)) return false;
  }
  uint64_t until = now_us() + linger_us;
  while (s.o.verify && s.publishing && now_us() < until) {
    if (!watch(s)) return false;
  }
  return true;
}

uint32_t pick_run() {
  timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return static_cast<uint32_t>(t.tv_nsec) ^ static_cast<uint32_t>(t.tv_sec) << 8 ^
         static_cast<uint32_t>(getpid()) << 16;
}

bool do_work(session &s) {
  const options &o = s.o;
  uint32_t run = pick_run();
  s.last.start_us = s.last.line_us = s.moved_us = now_us();
  if (o.consumers > 0 && !start_consumers(s, run)) return false;
  if (s.interrupted) return false;
  // When publishing ends badly, what was confirmed until then is still consumed.
  bool published = o.producers == 0 || publish_all(s, run);
  if (o.consumers == 0 || s.stalled || failed(s.consume)) return published;
  return consume_all(s) && published;
}

// A worker that does not end is left behind with the process.
void end_worker(session &s, worker &w) {
  worker_stop(w);
  uint64_t limit = now_us() + stop_us;
  while (stage_of(w) != stage::gone) {
    if (now_us() < limit && rstream_env_run(s.env, step_ms) == 0) continue;
    fprintf(stderr, "rstream-perf: a worker did not end\n");
    _exit(1);
  }
  uv_thread_join(&w.thread);
  if (w.failed) fail(s, "%s", w.error);
  if (w.leaked) fail(s, "the loop was not empty after closing");
}

// ---- the figures

// `resumed`: it began behind an offset that was stored.
void add_verified(result &r, const session &s, const verifier &v, bool resumed) {
  r.duplicated += v.duplicated;
  r.out_of_order += v.out_of_order;
  r.damaged += v.damaged;
  r.unwanted += v.unwanted;
  r.offset_errors += v.offset_errors;
  if (r.first_problem[0] == 0) r.first_problem = v.first_problem;
  if (s.o.producers > 0) {
    for (uint32_t i = 0; s.publishing && i < s.o.producers; i++) {
      r.lost += sequence_missing(s.publish.publishers[i].confirmed, v.seen[i], s.o);
    }
    return;
  }
  // Who only reads knows the gaps. Where a group began, others may have read before.
  bool from_first =
      s.o.offset_type == RSTREAM_OFFSET_FIRST && !resumed && !s.o.single_active;
  for (const sequence_set &seen : v.seen)
    r.lost += sequence_gaps(seen, from_first ? 0 : seen.lowest, s.o);
}

double seconds_between(uint64_t from_us, uint64_t to_us) {
  return to_us > from_us ? static_cast<double>(to_us - from_us) / 1e6 : 0;
}

result gather(session &s) {
  result r;
  r.published = value_of(s.publish.published);
  r.confirmed = value_of(s.publish.confirmed);
  r.errored = value_of(s.publish.errored);
  r.consumed = consume_count(s.consume);
  if (s.publishing) {
    r.publish_s = seconds_between(s.publish.start_us, s.publish.end_us);
    r.publish_cpu = s.publish.cpu;
    bool known = s.o.super_stream == nullptr || s.publish.noted;
    if (known) r.confirm_latency = &s.publish.confirm_latency;
  }
  if (s.consuming) {
    uint64_t from_us = s.publishing ? s.publish.start_us : s.consume.start_us;
    r.consume_s = seconds_between(from_us, s.consume.end_us);
    r.consume_cpu = s.consume.cpu;
    r.behind = value_of(s.consume.behind);
    r.behind_most = value_of(s.consume.behind_most);
    r.activations = s.consume.activations;
    r.stored = s.stored;
    if (s.publishing) r.latency = &s.consume.latency;
  }
  if (s.o.embedded) r.broker_cpu_s = embedded_cpu_s(s.broker);
  for (uint32_t i = 0; s.consuming && i < s.consume.verifier_count; i++) {
    bool resumed = !s.stored_before.empty() && s.stored_before[i].found;
    add_verified(r, s, s.consume.verifiers[i], resumed);
  }
  return r;
}

void judge(session &s, const result &r) {
  const options &o = s.o;
  if (r.errored > 0) fail(s, "not all messages were confirmed");
  if (o.verify &&
      r.lost + r.duplicated + r.out_of_order + r.damaged + r.offset_errors + r.unwanted >
          0) {
    fail(s, "what was consumed is not what was confirmed");
  }
}

void report(session &s) {
  result r = gather(s);
  judge(s, r);
  r.ok = !s.failed;
  report_table(s.o.json ? stderr : stdout, r, s.o);
  if (s.o.json) report_json(stdout, r, s.o);
}

void work_and_report(session &s) {
  if (!do_work(s)) s.failed = true;
  if (s.publishing) end_worker(s, s.publish);
  if (s.consuming) end_worker(s, s.consume);
  if (s.consuming) check_stored(s);
  report(s);
  publish_release(s.publish);
  consume_release(s.consume);
}

bool open_env(session &s) {
  char error[200] = "";
  rstream_env_options eo;
  env_texts texts;
  fill_env_options(eo, texts, s.o, "rstream-perf");
  eo.error_text = error;
  eo.error_text_size = sizeof error;
  int rc = rstream_env_create(&s.env, nullptr, &eo);
  return rc == 0 || fail(s, "%s: %s", rstream_error_text(rc), error);
}

}  // namespace

int run(const options &asked) {
  options o = asked;
  session s(o);
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  signal(SIGUSR1, on_time_signal);
  if (o.embedded && !embedded_start(s.broker, o))
    return fail(s, "the embedded broker did not start"), 1;
  if (o.embedded) o.uri = s.broker.uri;
  if (open_env(s)) {
    if (create_stream(s) && check_start(s)) work_and_report(s);
    delete_stream(s);
    close_env(s);
  }
  embedded_stop(s.broker);
  return s.failed ? 1 : 0;
}

}  // namespace perf
