#include "broker.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace rstream::test {

namespace {

// host:port of the URI.
std::string authority() {
  std::string uri = broker_uri();
  size_t begin = uri.find("://") + 3;
  std::string rest = uri.substr(begin, uri.find('/', begin) - begin);
  size_t at = rest.rfind('@');
  return at == std::string::npos ? rest : rest.substr(at + 1);
}

// For /bin/sh, in single quotes.
std::string quoted(const std::string &text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string broker_tool(const std::string &arguments) {
  std::string command = quoted(getenv("RSTREAM_BROKER_TOOL")) + " " + arguments;
  FILE *pipe = popen(command.c_str(), "r");
  if (!pipe) {
    ADD_FAILURE() << "can't run " << command;
    return "";
  }
  std::string out;
  char piece[4096];
  while (size_t n = fread(piece, 1, sizeof piece, pipe)) out.append(piece, n);
  int status = pclose(pipe);
  if (status != 0) ADD_FAILURE() << command << " ended with " << status << ": " << out;
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

}  // namespace

const char *broker_uri() {
  static std::string first;
  const char *all = getenv("RSTREAM_BROKER_URI");
  if (!all) return nullptr;
  first.assign(all, strcspn(all, ","));
  return first.c_str();
}

std::string broker_host() {
  std::string a = authority();
  return a.substr(0, a.rfind(':'));
}

int broker_port() {
  std::string a = authority();
  size_t colon = a.rfind(':');
  return colon == std::string::npos ? 5552 : atoi(a.c_str() + colon + 1);
}

bool broker_can_be_disturbed() {
  return getenv("RSTREAM_BROKER_DIR") && getenv("RSTREAM_BROKER_TOOL");
}

std::string broker_tls_dir() {
  const char *uri = getenv("RSTREAM_BROKER_TLS_URI");
  const char *dir = getenv("RSTREAM_BROKER_DIR");
  return uri && dir ? std::string(dir) + "/tls" : "";
}

std::string broker_tls_uri() {
  const char *uri = getenv("RSTREAM_BROKER_TLS_URI");
  return uri ? std::string(uri, strcspn(uri, ",")) : "";
}

std::string broker_eval(const std::string &expression) {
  return broker_tool("eval n1 " + quoted(expression));
}

std::string broker_log() { return broker_tool("log n1 | xargs cat"); }

broker_stopped::broker_stopped() { broker_tool("stop n1"); }
broker_stopped::~broker_stopped() { broker_tool("cont n1"); }

std::string connections_named(const std::string &name) {
  return "[P || P <- pg_local:get_members(rabbit_stream_connections), "
         "[{client_properties, Ps}] <- [catch rabbit_stream_reader:info(P, "
         "[client_properties])], "
         "{<<\"connection_name\">>, longstr, N} <- Ps, "
         "string:prefix(N, <<\"" +
         name + " \">>) =/= nomatch]";
}

std::string ids_on_connections(const std::string &name, role which) {
  bool publishing = which == role::producers;
  std::string id = publishing ? "publisher_id" : "subscription_id";
  return "P <- " + connections_named(name) +
         ", [_ | _] = All <- [catch rabbit_stream_reader:" +
         (publishing ? "publishers" : "consumers") + "_info(P, [" + id + "])], [{" + id +
         ", I}] <- All";
}

int kill_connections(const std::string &name, role which) {
  std::string killed = broker_eval("length([exit(P, kill) || P <- lists:usort([P || " +
                                   ids_on_connections(name, which) + "])]).");
  int count = -1;
  if (sscanf(killed.c_str(), "{ok, %d}", &count) != 1) ADD_FAILURE() << killed;
  return count;
}

}  // namespace rstream::test
