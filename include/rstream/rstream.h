/* rstream: a RabbitMQ Streams client for programs that run a libuv loop, and for those
 * who bind it from other languages. This header includes all others; start reading at
 * env.h. */
#ifndef RSTREAM_H
#define RSTREAM_H

#include "rstream/amqp.h"
#include "rstream/auth.h"
#include "rstream/codec.h"
#include "rstream/consumer.h"
#include "rstream/env.h"
#include "rstream/error.h"
#include "rstream/producer.h"
#include "rstream/state.h"
#include "rstream/stream.h"
#include "rstream/super_consumer.h"
#include "rstream/super_producer.h"
#include "rstream/super_stream.h"
#include "rstream/tls.h"
#include "rstream/version.h"

#endif
