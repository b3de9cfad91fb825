// Package jms holds what the wire protocols of JMS brokers share: broker URLs and failover lists, dialling with TLS,
// and the guess at who answers on a port.
//
// It knows no wire protocol and does not touch messages. It imports the standard library and bridge (for error
// classes) only. A protocol's package (stomp and later ones) takes a [Broker], asks it for connections, and speaks.
package jms
