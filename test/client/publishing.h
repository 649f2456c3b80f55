// A producer whose Publish frames are written down as the broker gets them, and messages
// of every kind.
#pragma once

#include "client/env.h"
#include "client/producer.h"
#include "scenario.h"

namespace rstream::test {

struct publishing : fake_client {
  producer_log *log = nullptr;
  rstream_producer *p = nullptr;
  std::string told;    // by the messages' own callbacks: "3:0 "
  std::string frames;  // Publish as the broker got it: "v1 1=a 2=b | v2 3[x]=c 4=d | "
  size_t largest_frame = 0;  // of those, without the size field

  rstream_producer_options producer_options() {
    if (!env) create();
    log = &new_producer_log();
    return log->options();
  }
  void open(const rstream_producer_options &o) {
    watch();
    p = open_producer(*log, o);
  }
  void open() { open(producer_options()); }
  void watch() {
    fake::on_frame(node(), wire::key::publish,
                   [this](fake::peer &, const fake::frame &fr) {
                     note(fr);
                     return fake::verdict::pass;
                   });
  }
  void note(const fake::frame &fr) {
    wire::publish frame;
    ASSERT_TRUE(fake::decoded(fr, frame));
    largest_frame = std::max(largest_frame, fr.whole.size() - wire::frame_size_bytes);
    frames += 'v' + std::to_string(frame.version) + ' ';
    for (wire::publish_entry e; frame.entries.next(e);) {
      frames += std::to_string(e.id);
      if (e.filter.data()) frames += '[' + std::string(e.filter) + ']';
      frames += e.is_sub_batch ? "+" + std::to_string(e.record_count) + ' '
                               : '=' + text_of(e.body) + ' ';
    }
    frames += "| ";
  }

  static void on_outcome(rstream_producer *, uint64_t id, int status, void *user) {
    *static_cast<std::string *>(user) +=
        std::to_string(id) + ':' + std::to_string(status) + ' ';
  }
  rstream_message message(std::string_view body) {
    rstream_message m;
    rstream_message_init(&m);
    m.body = body.data();
    m.body_size = body.size();
    return m;
  }
  rstream_message told_message(std::string_view body) {
    rstream_message m = message(body);
    m.on_outcome = on_outcome;
    m.outcome_user = &told;
    return m;
  }
  rstream_message filtered(std::string_view body, const char *filter) {
    rstream_message m = message(body);
    m.filter_value = filter;
    m.filter_value_size = filter ? strlen(filter) : 0;
    return m;
  }
  int send_message(const rstream_message &m, uint64_t *id = nullptr) {
    return rstream_producer_send(p, &m, id);
  }
  int send_sub_entry(const std::vector<rstream_message> &messages,
                     rstream_compression c = RSTREAM_COMPRESSION_NONE) {
    return rstream_producer_send_sub_entry(p, messages.data(), messages.size(), c,
                                           nullptr);
  }
  bool wait_for(size_t outcomes) {
    return run_until([&] { return log->outcomes.size() >= outcomes; });
  }
  rstream_producer_stats producer_stats() const {
    rstream_producer_stats s;
    s.struct_size = sizeof s;
    rstream_producer_stats_get(p, &s);
    return s;
  }
  std::string last_error() const { return rstream_env_error_text(env); }
};

}  // namespace rstream::test
