// Publishing to a super stream: arrays of messages, sub-entries by hand, and waiting.
#include "super_stream.h"

namespace rstream::test {

namespace {

struct super_producer_ways : super_client {
  std::string own;  // what the messages' own callbacks were told

  rstream_message message(const char *body) {
    rstream_message m;
    rstream_message_init(&m);
    m.body = body;
    m.body_size = strlen(body);
    m.on_outcome = [](rstream_producer *p, uint64_t, int status, void *user) {
      EXPECT_EQ(p, nullptr);
      *static_cast<std::string *>(user) += std::to_string(status) + ' ';
    };
    m.outcome_user = &own;
    return m;
  }
  std::vector<rstream_message> messages(std::initializer_list<const char *> bodies) {
    std::vector<rstream_message> all;
    for (const char *body : bodies) all.push_back(message(body));
    return all;
  }
  int send_sub_entry(const std::vector<rstream_message> &all, const char *key,
                     uint64_t *first_id = nullptr,
                     rstream_compression compression = RSTREAM_COMPRESSION_NONE) {
    return rstream_super_producer_send_sub_entry(s, all.data(), all.size(), compression,
                                                 key, key ? strlen(key) : 0, first_id);
  }
  void open_by_key() {
    rstream_super_producer_options o = log.options();
    o.routing = RSTREAM_ROUTING_KEY;
    open_super(o);
  }
  uint64_t committed() { return totals(cluster()).entries; }
};

}  // namespace

// ---- arrays

TEST_F(super_producer_ways, many_messages_each_with_its_key) {
  make_orders(3);
  open_super();
  std::vector<rstream_message> all = messages({"a", "b", "c", "d"});
  for (rstream_message &m : all) m.on_outcome = nullptr;
  const char *keys[] = {"hello1", "amer", "hello", "hello1"};  // 1, 2, 0, 1
  size_t sizes[] = {6, 4, 5, 6};
  uint64_t ids[4];
  ASSERT_EQ(rstream_super_producer_send_many(s, all.data(), 4, keys, sizes, ids), 4);
  ASSERT_TRUE(wait_for(4));
  // Those go straight; what is remembered of keys is used as well.
  for (int round = 2; round <= 3; round++) {
    ASSERT_EQ(rstream_super_producer_send_many(s, all.data(), 4, keys, nullptr, ids), 4);
    for (uint64_t id : ids) EXPECT_EQ(log.told[id], 0);
    ASSERT_TRUE(wait_for(4 * static_cast<size_t>(round)));
    for (uint64_t id : ids) EXPECT_EQ(log.told[id], 1);
  }
  EXPECT_EQ(in("orders-0"), "c c c");
  EXPECT_EQ(in("orders-1"), "a d a d a d");
  EXPECT_EQ(in("orders-2"), "b b b");
  EXPECT_EQ(rstream_super_producer_send_many(s, nullptr, 0, nullptr, nullptr, nullptr),
            0);
}

TEST_F(super_producer_ways, as_many_as_there_is_room_for) {
  make_orders(2);
  of_partitions.max_messages_in_flight = 3;
  open_super();
  wait_open();
  std::vector<rstream_message> all = messages({"a", "b", "c", "d"});
  const char *keys[] = {"1", "2", "3", "4"};
  uint64_t ids[] = {0, 0, 0, 77};
  EXPECT_EQ(rstream_super_producer_send_many(s, all.data(), 4, keys, nullptr, ids), 3);
  EXPECT_EQ(ids[3], 77u);
  EXPECT_EQ(rstream_super_producer_send_many(s, all.data(), 4, keys, nullptr, ids),
            RSTREAM_EAGAIN);
  ASSERT_TRUE(run_until([&] { return log.writable > 0; }));
  EXPECT_EQ(own, "0 0 0 ");
}

TEST_F(super_producer_ways, keys_of_an_array_may_come_from_the_messages) {
  make_orders(3);
  rstream_super_producer_options o = log.options();
  o.on_routing_key = [](const rstream_message *m, const char **key, size_t *size,
                        void *) {
    *key = static_cast<const char *>(m->body);
    *size = m->body_size;
    return 1;
  };
  open_super(o);
  wait_open();
  std::vector<rstream_message> all = messages({"hello1", "amer"});
  EXPECT_EQ(rstream_super_producer_send_many(s, all.data(), 2, nullptr, nullptr, nullptr),
            2);
  const char *keys[] = {"hello", nullptr};
  EXPECT_EQ(rstream_super_producer_send_many(s, all.data(), 2, keys, nullptr, nullptr),
            2);
  ASSERT_TRUE(wait_for(4));
  EXPECT_EQ(in("orders-0"), "hello1");
  EXPECT_EQ(in("orders-1"), "hello1");
  EXPECT_EQ(in("orders-2"), "amer amer");
}

TEST_F(super_producer_ways, wrong_arrays_are_refused) {
  make_orders(1);
  open_super();
  std::vector<rstream_message> all = messages({"a", "b"});
  const char *keys[] = {"1", nullptr};
  auto many = [&](rstream_super_producer *p, const rstream_message *m, size_t n) {
    return rstream_super_producer_send_many(p, m, n, keys, nullptr, nullptr);
  };
  EXPECT_EQ(many(nullptr, all.data(), 1), RSTREAM_EINVAL);
  EXPECT_EQ(many(s, nullptr, 1), RSTREAM_EINVAL);
  EXPECT_EQ(many(s, all.data(), 2), 1) << "up to the one without a key";
  EXPECT_EQ(error(), "the routing key is missing");
  all[0].struct_size = 0;
  EXPECT_EQ(many(s, all.data(), 1), RSTREAM_EINVAL);
  EXPECT_EQ(super_stats().messages_sent, 1u);
}

// ---- sub-entries

TEST_F(super_producer_ways, a_sub_entry_goes_to_one_partition_as_one) {
  make_orders(3);
  open_super();
  EXPECT_EQ(send_sub_entry(messages({"a"}), "hello1"), RSTREAM_EAGAIN)
      << "the partitions are not known yet";
  ASSERT_TRUE(run_until([&] { return log.writable > 0; }));
  uint64_t first = 0, second = 0;
  ASSERT_EQ(send_sub_entry(messages({"a", "b", "c"}), "hello1", &first), 0) << error();
  ASSERT_EQ(send_to("hello1", "d", &second), 0);
  ASSERT_EQ(
      send_sub_entry(messages({"e", "f"}), "hello", nullptr, RSTREAM_COMPRESSION_GZIP),
      0);
  EXPECT_EQ(second, first + 3);
  EXPECT_EQ(super_stats().messages_in_flight, 6u);
  ASSERT_TRUE(wait_for(6));
  EXPECT_EQ(committed(), 3u);
  EXPECT_EQ(log.with(0, "orders-1"), 4u);
  EXPECT_EQ(log.with(0, "orders-0"), 2u);
  for (uint64_t id = first; id <= second; id++) EXPECT_EQ(log.told[id], 1) << id;
  EXPECT_EQ(own, "0 0 0 0 0 ");
  EXPECT_EQ(super_stats().messages_confirmed, 6u);
  EXPECT_EQ(super_stats().bytes_in_flight, 0u);
}

TEST_F(super_producer_ways, a_sub_entry_does_not_wait_for_its_route_nor_overtake) {
  make_orders(2);
  open_by_key();
  wait_open();
  EXPECT_EQ(send_sub_entry(messages({"a", "b"}), "1"), RSTREAM_EAGAIN) << "asked now";
  ASSERT_TRUE(run_until([&] { return log.writable == 1; }));
  EXPECT_EQ(send_sub_entry(messages({"a", "b"}), "1"), 0) << error();
  ASSERT_EQ(send_to("0", "c"), 0);  // waits
  EXPECT_EQ(send_sub_entry(messages({"d"}), "1"), RSTREAM_EAGAIN) << "behind that";
  ASSERT_TRUE(run_until([&] { return log.writable == 2; }));
  EXPECT_EQ(send_sub_entry(messages({"d"}), "1"), 0) << error();
  ASSERT_TRUE(wait_for(4));
  EXPECT_EQ(committed(), 3u);
}

TEST_F(super_producer_ways, a_sub_entry_needs_exactly_one_partition) {
  make_orders(2);
  cluster().super_streams["orders"].binding_keys = {"all", "all"};
  open_by_key();
  wait_open();
  for (const char *key : {"all", "nowhere"}) {
    int writable = log.writable;
    EXPECT_EQ(send_sub_entry(messages({"a"}), key), RSTREAM_EAGAIN);
    ASSERT_TRUE(run_until([&] { return log.writable > writable; }));
  }
  EXPECT_EQ(send_sub_entry(messages({"a"}), "all"), RSTREAM_ENOTSUP);
  EXPECT_EQ(error(), "a sub-entry can't go to several partitions");
  EXPECT_EQ(send_sub_entry(messages({"a"}), "nowhere"), RSTREAM_ENOROUTE);
  EXPECT_EQ(send_sub_entry({}, "all"), RSTREAM_EINVAL);
  EXPECT_EQ(send_sub_entry(messages({"a"}), nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(super_stats().messages_sent, 0u);
  EXPECT_EQ(own, "");
}

TEST_F(super_producer_ways, the_common_window_counts_each_message_of_a_sub_entry) {
  make_orders(2);
  of_partitions.max_messages_in_flight = 4;
  open_super();
  wait_open();
  for (int i = 0; i < 2; i++)
    fake::stream_find(cluster(), "orders-" + std::to_string(i))->hold_commits = true;
  EXPECT_EQ(send_sub_entry(messages({"a", "b", "c"}), "hello"), 0);
  EXPECT_EQ(send_sub_entry(messages({"d", "e"}), "hello1"), RSTREAM_EAGAIN);
  EXPECT_EQ(send_sub_entry(messages({"d"}), "hello1"), 0);
  EXPECT_EQ(send_to("hello1", "e"), RSTREAM_EAGAIN);
  EXPECT_EQ(super_stats().messages_in_flight, 4u);
  ASSERT_TRUE(run_until([&] { return committed() == 2; }));
  for (int i = 0; i < 2; i++) {
    fake::stream &stream = *fake::stream_find(cluster(), "orders-" + std::to_string(i));
    stream.hold_commits = false;
    fake::stream_commit(stream);
  }
  ASSERT_TRUE(wait_for(4));
}

TEST_F(super_producer_ways, publishing_ids_of_sub_entries_grow_over_all_partitions) {
  make_orders(3);
  of_partitions.name = "till";
  of_partitions.ids_given = 1;
  open_super();
  wait_open();
  std::vector<rstream_message> all = messages({"a", "b"});
  all[0].publishing_id = 5;
  all[1].publishing_id = 7;
  uint64_t first = 0;
  EXPECT_EQ(send_sub_entry(all, "hello", &first), 0) << error();
  EXPECT_EQ(first, 5u);
  all[0].publishing_id = 7;
  all[1].publishing_id = 8;
  EXPECT_EQ(send_sub_entry(all, "hello1"), RSTREAM_EINVAL) << "7 was given";
  all[0].publishing_id = 8;
  all[1].publishing_id = 8;
  EXPECT_EQ(send_sub_entry(all, "hello1"), RSTREAM_EINVAL) << "twice";
  all[1].publishing_id = 9;
  EXPECT_EQ(send_sub_entry(all, "hello1"), 0) << error();
  ASSERT_TRUE(wait_for(4));
  for (uint64_t id : {5u, 7u, 8u, 9u}) EXPECT_EQ(log.told[id], 1) << id;
}

TEST_F(super_producer_ways, a_sub_entry_to_a_partition_that_ended_is_refused) {
  make_orders(3);
  open_super();
  wait_open();
  ASSERT_EQ(send_to("hello1", "a"), 0);
  ASSERT_TRUE(wait_for(1));
  fake::stream_delete(cluster(), "orders-1");
  ASSERT_TRUE(run_until([&] { return super_stats().partitions_open == 0; }));
  EXPECT_LT(send_sub_entry(messages({"b"}), "hello1"), 0);
  EXPECT_EQ(send_sub_entry(messages({"c"}), "hello"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(in("orders-0"), "c");
}

// ---- waiting

TEST_F(super_producer_ways, waits_for_the_outcome_of_a_message) {
  make_orders(3);
  open_super();
  for (int i = 0; i < 2; i++) {  // before and after the partitions are known
    rstream_message m = message("a");
    uint64_t id = 0;
    EXPECT_EQ(rstream_super_producer_send_wait(s, &m, "hello", 5, 10000, &id), 0);
    EXPECT_EQ(log.told[id], 1);
  }
  EXPECT_EQ(in("orders-0"), "a a");
  EXPECT_EQ(own, "0 0 ");
  rstream_message m = message("a");
  EXPECT_EQ(rstream_super_producer_send_wait(s, &m, nullptr, 0, 10, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_super_producer_send_wait(nullptr, &m, "a", 1, 10, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_super_producer_send_wait(s, nullptr, "a", 1, 10, nullptr),
            RSTREAM_EINVAL);
}

TEST_F(super_producer_ways, a_message_without_a_route_is_waited_for_as_well) {
  make_orders(1);
  open_by_key();
  rstream_message m = message("a");
  EXPECT_EQ(rstream_super_producer_send_wait(s, &m, "nowhere", 7, 10000, nullptr),
            RSTREAM_ENOROUTE);
  EXPECT_EQ(own, "-20020 ");
}

TEST_F(super_producer_ways, giving_up_waiting_leaves_the_message_its_callback) {
  make_orders(1);
  open_super();
  wait_open();
  fake::stream &stream = *fake::stream_find(cluster(), "orders-0");
  stream.hold_commits = true;
  rstream_message m = message("a");
  uint64_t id = 0;
  EXPECT_EQ(rstream_super_producer_send_wait(s, &m, "k", 1, 30, &id), RSTREAM_ETIMEDOUT);
  EXPECT_NE(id, 0u);
  ASSERT_TRUE(run_until([&] { return stream.next_offset == 1; }));
  stream.hold_commits = false;
  fake::stream_commit(stream);
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(own, "0 ");
  EXPECT_EQ(log.told[id], 1);
}

TEST_F(super_producer_ways, the_same_while_it_waits_for_its_route) {
  make_orders(1);
  bool hold = true;
  fake::on_frame(node(), wire::key::route, [&](fake::peer &, const fake::frame &) {
    return hold ? fake::verdict::handled : fake::verdict::pass;
  });
  of_partitions.confirm_timeout_ms = 60;
  open_by_key();
  wait_open();
  rstream_message m = message("a");
  uint64_t id = 0;
  EXPECT_EQ(rstream_super_producer_send_wait(s, &m, "0", 1, 20, &id), RSTREAM_ETIMEDOUT);
  EXPECT_EQ(own, "");
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(own, "-20006 ");
  EXPECT_EQ(log.told[id], 1);
}

}  // namespace rstream::test
