// Package java sends and receives JMS messages with the real Java clients, as the applications beside a bridge do: every
// message type, every property type, headers and groups. The clients and the compiled programs (src) live in
// the tests' cache folder; a JDK and Maven must be installed.
package java
