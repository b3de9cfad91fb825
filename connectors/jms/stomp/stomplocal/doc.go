// Package stomplocal is an embedded STOMP 1.2 broker for the demo and for tests. It listens on a free loopback port,
// keeps everything in memory, and behaves as ActiveMQ Classic does over STOMP where a bridge can tell the difference:
//
//   - queues (/queue/), topics (/topic/), durable subscriptions (client-id and activemq.subscriptionName), temporary
//     queues (/temp-queue/, which others see as /remote-temp-queue/), wildcards (* and >), composite names on SEND and
//     SUBSCRIBE, virtual topics (VirtualTopic.X, read from the queue Consumer.N.VirtualTopic.X);
//   - ack auto, client (cumulative) and client-individual; activemq.prefetchSize; activemq.exclusive;
//   - what was not acknowledged returns to the head of its queue, in order and with redelivered:true, on UNSUBSCRIBE,
//     DISCONNECT and a lost connection;
//   - NACK and expiry move a persistent message to the queue ActiveMQ.DLQ and discard any other;
//   - receipts in the order of the frames, heart-beats both ways, ERROR frames that leave the connection open;
//   - content-length makes a Bytes message, none a Text; JMSXGroupID is taken and never shown; every property is a
//     string;
//   - selectors: comparisons, arithmetic left out, AND, OR, NOT, IN, LIKE, BETWEEN, IS NULL. Anything else is an ERROR.
//
// CONNECTED says server:ActiveMQ/6.1.7-jmsbridge-local, so that a client treats it as a Classic broker.
//
// What it does not do, and says so with an ERROR frame where it is asked for: browsers, transformations, temporary
// topics, STOMP 1.0 and 1.1. It pins no message groups to consumers, orders nothing by priority and stores nothing on a
// disk: persistent messages live as long as the [Broker].
//
// Everything a test needs is settable and visible in the process: [Broker.Publish], [Broker.Browse], [Broker.Depth],
// [Broker.Unacked], [Broker.Stats], and faults ([Broker.Inject]) that count how often they fired.
//
// What may be touched: anything, as long as each message costs the same however many there are, every size that a peer
// names is bounded before memory is taken for it, and the tests of sources pass on this broker as on the real ones. It
// must not import bridge or any connector: a fake that shares code with what it judges proves nothing.
package stomplocal
