#include "client/uri.h"

#include <gtest/gtest.h>

#include "counting_memory.h"
#include "rstream/error.h"

using namespace rstream;
using namespace rstream::test;

namespace {

const char *or_dash(const char *text) { return text ? text : "-"; }

// "user password host port vhost", "-" for what is absent; "!" and the reason when it is
// refused.
std::string parsed(const char *text) {
  counting_memory blocks;
  memory mem{blocks.functions()};
  uri u;
  const char *reason = nullptr;
  int rc = uri_parse(mem, text, u, &reason);
  if (rc < 0) {
    EXPECT_EQ(rc, RSTREAM_EURI) << text;
    EXPECT_EQ(blocks.bytes, 0u) << text;
    return std::string("! ") + reason;
  }
  std::string out = std::string(or_dash(u.username)) + ' ' + or_dash(u.password) + ' ' +
                    or_dash(u.host) + ' ' + std::to_string(u.port) + ' ' +
                    or_dash(u.vhost) + (u.tls ? " tls" : "");
  memory_release(mem, u.storage);
  return out;
}

struct uri_case {
  const char *text, *expected;
};

constexpr uri_case good[] = {
    {"rabbitmq-stream://", "- - - 0 -"},
    {"rabbitmq-stream://host", "- - host 0 -"},
    {"rabbitmq-stream://host/", "- - host 0 -"},
    {"rabbitmq-stream://host:5552", "- - host 5552 -"},
    {"rabbitmq-stream://host:1", "- - host 1 -"},
    {"rabbitmq-stream://host:65535/", "- - host 65535 -"},
    {"rabbitmq-stream://host:05552", "- - host 5552 -"},
    {"rabbitmq-stream://:5553", "- - - 5553 -"},
    {"rabbitmq-stream://host/v", "- - host 0 v"},
    {"rabbitmq-stream:///v", "- - - 0 v"},
    {"rabbitmq-stream://host/%2f", "- - host 0 /"},
    {"rabbitmq-stream://host/%2Fa%2Fb", "- - host 0 /a/b"},
    {"rabbitmq-stream://user@host", "user - host 0 -"},
    {"rabbitmq-stream://user:@host", "user  host 0 -"},
    {"rabbitmq-stream://user:pw@host:5552/v", "user pw host 5552 v"},
    {"rabbitmq-stream://user:p:w@host", "user p:w host 0 -"},
    {"rabbitmq-stream://user:p@w@host", "user p@w host 0 -"},
    {"rabbitmq-stream://u%40x:p%3a%2F%25@host", "u@x p:/% host 0 -"},
    {"rabbitmq-stream://%c3%bc:\xc3\xbc@host", "\xc3\xbc \xc3\xbc host 0 -"},
    {"rabbitmq-stream://[::1]", "- - ::1 0 -"},
    {"rabbitmq-stream://[::1]:5552/v", "- - ::1 5552 v"},
    {"rabbitmq-stream://u:p@[fe80::1%25eth0]:5552", "u p fe80::1%eth0 5552 -"},
    {"rabbitmq-stream+tls://host", "- - host 0 - tls"},
};

constexpr const char no_scheme[] =
    "! it does not begin with rabbitmq-stream:// or rabbitmq-stream+tls://";
constexpr const char bad_port[] = "! the port is not a number from 1 to 65535";

constexpr uri_case bad[] = {
    {"", no_scheme},
    {"host", no_scheme},
    {"rabbitmq-stream", no_scheme},
    {"rabbitmq-stream:/host", no_scheme},
    {"amqp://host", no_scheme},
    {"RABBITMQ-STREAM://host", no_scheme},
    {" rabbitmq-stream://host", no_scheme},
    {"rabbitmq-stream+ssl://host", no_scheme},
    {"rabbitmq-stream://host:", bad_port},
    {"rabbitmq-stream://host:0", bad_port},
    {"rabbitmq-stream://host:65536", bad_port},
    {"rabbitmq-stream://host:4294972848", bad_port},
    {"rabbitmq-stream://host:99999999999999999999", bad_port},
    {"rabbitmq-stream://host:-1", bad_port},
    {"rabbitmq-stream://host:+1", bad_port},
    {"rabbitmq-stream://host: 1", bad_port},
    {"rabbitmq-stream://host:5552x", bad_port},
    {"rabbitmq-stream://host:1:2", bad_port},
    {"rabbitmq-stream://::1", bad_port},
    {"rabbitmq-stream://[::1]:", bad_port},
    {"rabbitmq-stream://[::1", "! the IPv6 address lacks its closing bracket"},
    {"rabbitmq-stream://[::1]x", "! unexpected text behind the IPv6 address"},
    {"rabbitmq-stream://@host", "! the user name is empty"},
    {"rabbitmq-stream://:pw@host", "! the user name is empty"},
    {"rabbitmq-stream://u%@host", "! bad percent-encoding in the user name"},
    {"rabbitmq-stream://u%4@host", "! bad percent-encoding in the user name"},
    {"rabbitmq-stream://u:%zz@host", "! bad percent-encoding in the password"},
    {"rabbitmq-stream://u:%00@host", "! bad percent-encoding in the password"},
    {"rabbitmq-stream://%g0", "! bad percent-encoding in the host"},
    {"rabbitmq-stream://host/%", "! bad percent-encoding in the virtual host"},
    {"rabbitmq-stream://host/%0", "! bad percent-encoding in the virtual host"},
    {"rabbitmq-stream://host/%00", "! bad percent-encoding in the virtual host"},
    {"rabbitmq-stream://host//", "! a / in the virtual host must be written %2f"},
    {"rabbitmq-stream://host/a/b", "! a / in the virtual host must be written %2f"},
    {"rabbitmq-stream://host/v?x=1", "! a query or fragment has no meaning here"},
    {"rabbitmq-stream://host#x", "! a query or fragment has no meaning here"},
};

}  // namespace

TEST(uri, takes_its_parts_apart) {
  for (const uri_case &c : good) EXPECT_EQ(parsed(c.text), c.expected) << c.text;
}

TEST(uri, refuses_with_a_reason) {
  for (const uri_case &c : bad) EXPECT_EQ(parsed(c.text), c.expected) << c.text;
}

TEST(uri, out_of_memory_is_told) {
  counting_memory blocks;
  blocks.calls_left = 0;
  memory mem{blocks.functions()};
  uri u;
  const char *reason = nullptr;
  EXPECT_EQ(uri_parse(mem, "rabbitmq-stream://host", u, &reason), RSTREAM_ENOMEM);
  EXPECT_STREQ(reason, "out of memory");
  EXPECT_EQ(u.storage, nullptr);
}

TEST(uri, cut_short_at_every_byte_it_is_taken_or_refused) {
  std::string whole = "rabbitmq-stream+tls://us%41er:p%20w@[::1]:5552/v%2fh";
  for (size_t n = 0; n <= whole.size(); n++) parsed(whole.substr(0, n).c_str());
}
