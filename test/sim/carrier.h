#pragma once

// Carries the in-memory broker of test/fake over the simulated network: each node is a
// host that listens, each connection a peer.

#include <memory>
#include <vector>

#include "fake/broker.h"
#include "sim/world.h"

namespace rstream::sim {

struct carried_cluster;

struct carried_peer {
  carried_cluster *owner = nullptr;
  transport *link = nullptr;  // nullptr once closed
  fake::peer *peer = nullptr;
  std::vector<uint8_t> out;  // what the transport did not take yet
  size_t out_at = 0;
  bool closing = false;  // once everything went out
  uint8_t space[16 << 10];
};

struct carried_node {
  carried_cluster *owner = nullptr;
  host *home = nullptr;
  fake::broker *broker = nullptr;
};

struct carried_cluster {
  simulation *world = nullptr;
  host *clock = nullptr;  // for the timers of all nodes
  std::unique_ptr<fake::cluster> cluster;
  std::vector<std::unique_ptr<carried_node>> nodes;
  std::vector<carried_peer *> peers;
};

constexpr uint16_t broker_port = 5552;

// Nodes are reached, and advertised, as node0, node1 ... port 5552.
void cluster_start(carried_cluster &c, simulation &s, int nodes);
// Ends all connections. The hosts are closed by the events that follow.
void cluster_stop(carried_cluster &c);

}  // namespace rstream::sim
