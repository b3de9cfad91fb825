// Package brokers starts real brokers for tests: ActiveMQ Classic 6.1.7 and 5.18.3 and ActiveMQ Artemis 2.44.0, on free
// loopback ports, with TLS by test certificates, users with passwords, and a store of their own.
//
// A broker comes from Maven's repository, once, into the user's cache folder (jmsbridge-test/NAME); a file lock lets
// parallel test processes wait for one download, and what is there needs no network. Java 17 or newer and Maven must be
// installed. A broker that can't be started fails the test: nothing here skips.
//
//	var classic = brokers.NewShared(brokers.Classic6, brokers.Options{})
//
//	func TestMain(m *testing.M) { os.Exit(brokers.Main(m, classic)) }
//
//	func TestX(t *testing.T) { b := classic.Broker(t); dial(b.URL("stomp+ssl"), b.CAFile()) }
//
// A start takes 3 to 8 seconds, so a package shares one broker among its tests, each with queues of its own. Tests that
// kill a broker use [Start], whose broker is theirs alone.
//
// The small STOMP client here (Client) is a test's own pair of eyes and shares nothing with the client under test.
package brokers
