package stomp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// dialogue speaks CONNECT with the credentials as they are now, and classifies what comes back.
func dialogue(ctx context.Context, b jms.Broker, nc net.Conn, e jms.Endpoint, cfg client.Config,
	start func(*client.Conn) client.Handler,
) (*client.Conn, error) {
	if b.Credentials != nil {
		var err error
		if cfg.Login, cfg.Passcode, err = b.Credentials(ctx); err != nil {
			return nil, &bridge.Error{Class: bridge.Fatal, Err: fmt.Errorf("reading the broker's credentials: %w", err)}
		}
	}
	var conn *client.Conn
	err := b.Logins.Attempt(ctx, e.Address(), cfg.Login, cfg.Passcode, func() (time.Duration, error) {
		var err error
		if conn, err = open(ctx, b, nc, e, cfg, start); err != nil {
			return bridge.AsError(err).After, err
		}
		return 0, nil
	})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// open speaks CONNECT, and a second time where the broker may have read the password or the client id otherwise.
func open(ctx context.Context, b jms.Broker, nc net.Conn, e jms.Endpoint, cfg client.Config,
	start func(*client.Conn) client.Handler,
) (*client.Conn, error) {
	conn, err := client.Open(ctx, nc, cfg, start)
	switch {
	case errors.Is(err, client.ErrArtemis): // what it is can't be known before, and only such client ids cost another connection
		cfg.Artemis = true
	case err != nil && mayWantEscapes(cfg, err):
		// A refused login costs one more, at once and only once, for the few passwords that Classic reads differently.
		cfg.EscapeLogin = true
	case err != nil:
		return nil, classifyConnect(err, e)
	default:
		return conn, nil
	}
	_ = nc.Close() // a refused login's is closed by the broker as well
	again, dialErr := b.Dial(ctx, e)
	switch {
	case dialErr != nil && cfg.Artemis:
		return nil, dialErr
	case dialErr != nil:
		return nil, classifyConnect(err, e)
	}
	if conn, err = client.Open(ctx, again, cfg, start); err != nil {
		_ = again.Close() // its error is reported
		return nil, classifyConnect(err, e)
	}
	return conn, nil
}

// mayWantEscapes tells that Classic refused a login that holds what it takes for an escape.
func mayWantEscapes(cfg client.Config, err error) bool {
	var server *client.ServerError
	if !errors.As(err, &server) || !strings.HasPrefix(server.Message, "User name [") {
		return false
	}
	login := cfg.Login + "\n" + cfg.Passcode
	for _, escape := range []string{`\\`, `\c`, `\n`, `\r`} {
		if strings.Contains(login, escape) {
			return true
		}
	}
	return false
}
