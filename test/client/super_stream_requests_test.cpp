// Creating, deleting and asking about super streams.
#include "scenario.h"

namespace rstream::test {

namespace {

struct super_requests : fake_client {
  struct names {
    int calls = 0;
    int status = 1;
    std::string list;  // "a b c"
  };
  static void on_names(rstream_env *, int status, const char *const *partitions,
                       size_t count, void *user) {
    auto *n = static_cast<names *>(user);
    n->calls++;
    n->status = status;
    for (size_t i = 0; i < count; i++)
      n->list += (i ? " " : "") + std::string(partitions[i]);
  }
  static void on_result(rstream_env *, int status, const char *text, void *user) {
    auto *r = static_cast<result *>(user);
    r->calls++;
    r->status = status;
    r->text = text;
  }
  void SetUp() override {
    fake_client::SetUp();
    create();
  }
  template <class Reply, class Ask>
  Reply answered(Ask ask) {
    Reply r;
    EXPECT_EQ(ask(&r), 0) << rstream_env_error_text(env);
    EXPECT_TRUE(run_until([&] { return r.calls > 0; }));
    return r;
  }
  int create_super(const char *name, const rstream_super_stream_options &o) {
    return answered<result>([&](void *user) {
             return rstream_super_stream_create(env, name, &o, on_result, user);
           })
        .status;
  }
  int delete_super(const char *name) {
    return answered<result>([&](void *user) {
             return rstream_super_stream_delete(env, name, on_result, user);
           })
        .status;
  }
  names partitions(const char *name) {
    return answered<names>([&](void *user) {
      return rstream_super_stream_partitions(env, name, on_names, user);
    });
  }
  names route(const char *name, std::string_view key) {
    return answered<names>([&](void *user) {
      return rstream_super_stream_route(env, name, key.data(), key.size(), on_names,
                                        user);
    });
  }
  static rstream_super_stream_options by_count(uint32_t n) {
    rstream_super_stream_options o;
    rstream_super_stream_options_init(&o);
    o.partitions = n;
    return o;
  }
  static rstream_super_stream_options by_keys(const char *const *keys, size_t n) {
    rstream_super_stream_options o;
    rstream_super_stream_options_init(&o);
    o.binding_keys = keys;
    o.binding_key_count = n;
    return o;
  }
  int refused(const char *name, const rstream_super_stream_options &o) {
    return rstream_super_stream_create(env, name, &o, on_result, &unasked);
  }
  result unasked;
  std::string error() { return rstream_env_error_text(env); }
};

}  // namespace

TEST_F(super_requests, partitions_by_number) {
  EXPECT_EQ(create_super("orders", by_count(12)), 0);
  EXPECT_EQ(create_super("orders", by_count(12)), RSTREAM_BROKER_STREAM_EXISTS);
  EXPECT_EQ(partitions("orders").list,
            "orders-0 orders-1 orders-2 orders-3 orders-4 orders-5 orders-6 orders-7 "
            "orders-8 orders-9 orders-10 orders-11");
  EXPECT_EQ(route("orders", "11").list, "orders-11");
  EXPECT_EQ(delete_super("orders"), 0);
  EXPECT_EQ(partitions("orders").status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_EQ(delete_super("orders"), RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

TEST_F(super_requests, partitions_by_binding_keys) {
  const char *keys[] = {"emea", "amer", "apac"};
  EXPECT_EQ(create_super("orders", by_keys(keys, 3)), 0);
  EXPECT_EQ(partitions("orders").list, "orders-emea orders-amer orders-apac");
  EXPECT_EQ(route("orders", "amer").list, "orders-amer");
}

TEST_F(super_requests, a_route_leads_to_none_or_to_several) {
  EXPECT_EQ(create_super("orders", by_count(3)), 0);
  cluster().super_streams["orders"].binding_keys = {"a", "b", "a"};
  names none = route("orders", "c");
  EXPECT_EQ(none.status, 0);
  EXPECT_EQ(none.list, "");
  EXPECT_EQ(route("orders", "a").list, "orders-0 orders-2");
  EXPECT_EQ(route("orders", "").list, "");
  EXPECT_EQ(route("nothing", "a").status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

TEST_F(super_requests, arguments_go_to_each_partition) {
  rstream_stream_options arguments;
  rstream_stream_options_init(&arguments);
  arguments.max_age = "6h";
  arguments.max_length_bytes = 5000000;
  rstream_super_stream_options o = by_count(2);
  o.arguments = &arguments;
  EXPECT_EQ(create_super("orders", o), 0);
  for (const char *name : {"orders-0", "orders-1"}) {
    auto made = fake::stream_find(cluster(), name)->arguments;
    EXPECT_EQ(made["max-age"], "6h");
    EXPECT_EQ(made["max-length-bytes"], "5000000");
    EXPECT_EQ(made.size(), 2u);
  }
}

TEST_F(super_requests, a_thousand_partitions) {
  EXPECT_EQ(create_super(std::string(200, 'n').c_str(), by_count(1000)), 0);
  names all = partitions(std::string(200, 'n').c_str());
  EXPECT_EQ(all.list.size(), 1000u * (200 + 1) + 2890 + 999);
}

TEST_F(super_requests, names_that_do_not_fit_a_frame_are_not_sent) {
  close_env();
  env_closed = 0;
  options.max_frame_bytes = 16384;
  create();
  EXPECT_EQ(create_super(std::string(200, 'n').c_str(), by_count(1000)),
            RSTREAM_EMSGSIZE);
  EXPECT_EQ(create_super("orders", by_count(3)), 0) << "the connection lives on";
}

TEST_F(super_requests, need_a_broker_that_has_them) {
  cluster().options.version = "3.12";
  EXPECT_EQ(create_super("orders", by_count(3)), RSTREAM_ENOTSUP);
  EXPECT_EQ(delete_super("orders"), RSTREAM_ENOTSUP);
  EXPECT_EQ(partitions("orders").status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

TEST_F(super_requests, wrong_options_are_refused) {
  const char *keys[] = {"a", "b", "a"};
  const char *empty[] = {"a", ""};
  std::string longest(253, 'n');
  EXPECT_EQ(refused("", by_count(1)), RSTREAM_EINVAL);
  EXPECT_EQ(refused("s", by_count(0)), RSTREAM_EINVAL);
  EXPECT_EQ(refused("s", by_count(1001)), RSTREAM_EINVAL);
  EXPECT_EQ(error(), "partitions is 1001, allowed are 1 to 1000");
  EXPECT_EQ(refused("s", by_keys(keys, 3)), RSTREAM_EINVAL);
  EXPECT_EQ(error(), "binding key a is given twice");
  EXPECT_EQ(refused("s", by_keys(keys, 0)), RSTREAM_EINVAL);
  EXPECT_EQ(refused("s", by_keys(empty, 2)), RSTREAM_EINVAL);
  EXPECT_EQ(refused("s", by_keys(nullptr, 2)), RSTREAM_EINVAL);
  EXPECT_EQ(error(), "the binding keys are missing");
  rstream_super_stream_options both = by_keys(keys, 2);
  both.partitions = 2;
  EXPECT_EQ(refused("s", both), RSTREAM_EINVAL);
  EXPECT_EQ(refused(longest.c_str(), by_count(1)), RSTREAM_EINVAL);
  EXPECT_EQ(error(), "a partition's name is 257 bytes long, at most 255 are allowed");
  rstream_stream_options arguments;
  rstream_stream_options_init(&arguments);
  arguments.max_age = "6 hours";
  rstream_super_stream_options aged = by_count(1);
  aged.arguments = &arguments;
  EXPECT_EQ(refused("s", aged), RSTREAM_EINVAL);
  rstream_super_stream_options raw{};
  EXPECT_EQ(refused("s", raw), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_super_stream_create(env, "s", nullptr, on_result, nullptr),
            RSTREAM_EINVAL);
  rstream_super_stream_options one = by_count(1);
  EXPECT_EQ(rstream_super_stream_create(env, "s", &one, nullptr, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_super_stream_route(env, "s", std::string(256, 'k').data(), 256,
                                       on_names, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_super_stream_route(env, "s", nullptr, 1, on_names, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_super_stream_partitions(nullptr, "s", on_names, nullptr),
            RSTREAM_EINVAL);
}

TEST_F(super_requests, closing_the_environment_answers_them) {
  names n;
  result r;
  rstream_super_stream_options o = by_count(2);
  EXPECT_EQ(rstream_super_stream_create(env, "orders", &o, on_result, &r), 0);
  EXPECT_EQ(rstream_super_stream_partitions(env, "orders", on_names, &n), 0);
  close_env();
  EXPECT_EQ(r.status, RSTREAM_ECANCELED);
  EXPECT_EQ(n.status, RSTREAM_ECANCELED);
  EXPECT_EQ(n.calls, 1);
}

}  // namespace rstream::test
