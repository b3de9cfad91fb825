package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/connectors"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
)

// passwordVariable is where send and receive find the password for --url. A flag would show it to every user of the
// machine.
const passwordVariable = "JMSBRIDGE_PASSWORD"

// brokerFlags say which broker send and receive talk to: one of the configuration, or one by its URL.
type brokerFlags struct {
	config, name                  string
	url, username, passwordFile   string
	plaintext                     bool
	ca, cert, key, server, client string
}

func (f *brokerFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVarP(&f.config, "config", "c", "bridge.yaml", "the configuration that names the broker")
	flags.StringVarP(&f.name, "broker", "b", "", "the broker's name in the configuration; it may be left out where there is one")
	flags.StringVar(&f.url, "url", "", "the broker's URL, instead of one of the configuration (stomp+ssl://HOST:PORT)")
	flags.StringVar(&f.username, "username", "", "with --url: the user to log in as")
	flags.StringVar(&f.passwordFile, "password-file", "", "with --url: the file that holds the password; else "+passwordVariable+" does")
	flags.BoolVar(&f.plaintext, "allow-plaintext", false, "with --url: no TLS to a host that is not loopback")
	flags.StringVar(&f.ca, "ca-file", "", "with --url: PEM file of the only authorities to trust")
	flags.StringVar(&f.cert, "cert-file", "", "with --url: PEM file of the client's certificate")
	flags.StringVar(&f.key, "key-file", "", "with --url: PEM file of its key")
	flags.StringVar(&f.server, "server-name", "", "with --url: the name that the broker's certificate must have")
	flags.StringVar(&f.client, "client-id", "", "the JMS client id of the connection")
	c.MarkFlagsMutuallyExclusive("broker", "url")
	c.MarkFlagsMutuallyExclusive("config", "url")
}

// broker returns the broker that the flags name. Its errors have their exit codes.
func (f *brokerFlags) broker(ctx context.Context) (jms.Broker, error) {
	b, err := f.configured(ctx)
	if f.url != "" {
		b, err = f.byURL()
	}
	var coded *exitError
	if errors.As(err, &coded) {
		return b, err
	}
	if err != nil {
		return b, usage(err)
	}
	if err := b.URL.Require(jms.STOMP); err != nil {
		return b, usage(err)
	}
	b.ClientID = f.client
	return b, nil
}

func (f *brokerFlags) configured(ctx context.Context) (jms.Broker, error) {
	if f.url != "" {
		return jms.Broker{}, nil
	}
	if f.username != "" || f.passwordFile != "" || f.plaintext || f.ca != "" || f.cert != "" || f.key != "" || f.server != "" {
		return jms.Broker{}, errors.New("--username, --password-file, --allow-plaintext and the flags for TLS go with --url; a configured broker has its own")
	}
	cfg, err := loadConfig(ctx, f.config)
	if err != nil {
		return jms.Broker{}, err
	}
	name := f.name
	if name == "" {
		if len(cfg.Brokers) != 1 {
			return jms.Broker{}, fmt.Errorf("%s names %d brokers: say which with --broker", f.config, len(cfg.Brokers))
		}
		name = cfg.Brokers[0].Name
	}
	found := cfg.Broker(name)
	if found == nil {
		var names []string
		for i := range cfg.Brokers {
			names = append(names, cfg.Brokers[i].Name)
		}
		return jms.Broker{}, fmt.Errorf("%s has no broker %q; it has %s", f.config, name, strings.Join(names, ", "))
	}
	return connectors.Broker(found)
}

func (f *brokerFlags) byURL() (jms.Broker, error) {
	address, err := jms.ParseURL(f.url)
	if err != nil {
		return jms.Broker{}, fmt.Errorf("reading --url: %w", err)
	}
	return jms.Broker{
		Name: "command line", URL: address, AllowPlaintext: f.plaintext,
		TLS: jms.TLS{CAFile: f.ca, CertFile: f.cert, KeyFile: f.key, ServerName: f.server},
		Credentials: func(context.Context) (string, string, error) {
			password, err := f.password()
			return f.username, password, err
		},
	}, nil
}

func (f *brokerFlags) password() (string, error) {
	if f.passwordFile == "" {
		return os.Getenv(passwordVariable), nil
	}
	text, err := os.ReadFile(f.passwordFile)
	if err != nil {
		return "", &bridge.Error{Class: bridge.Fatal, Err: fmt.Errorf("reading the password: %w", err)}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// parseDestination reads queue:NAME or topic:NAME.
func parseDestination(text string) (bridge.Destination, error) {
	d, err := envelope.ParseDestination(text)
	if err != nil || d.Kind != bridge.Queue && d.Kind != bridge.Topic {
		return d, usage(fmt.Errorf("%q is not a destination: write queue:NAME or topic:NAME", text))
	}
	return d, nil
}
