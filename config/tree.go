package config

import "time"

// Config is the whole of bridge.yaml. It is not changed after Load and so is safe for concurrent reads.
type Config struct {
	Brokers []Broker `mapstructure:"brokers" doc:"the JMS brokers that routes name"`
	AWS     AWS      `mapstructure:"aws" doc:"how AWS is reached; without it the SDK's own defaults hold"`
	Admin   Admin    `mapstructure:"admin" doc:"the HTTP listener for health, metrics and status"`
	Store   Store    `mapstructure:"store" doc:"where outcomes are kept that have to survive a restart; for reply.once"`
	Log     Log      `mapstructure:"log" doc:"what is logged, and how"`
	Limits  Limits   `mapstructure:"limits" doc:"bounds for the whole process"`
	Routes  []Route  `mapstructure:"routes" required:"true" doc:"what is moved from where to where"`

	// File is the path that the configuration was loaded from.
	File string `mapstructure:"-"`
}

// Broker returns the broker of that name; nil when there is none.
func (c *Config) Broker(name string) *Broker {
	for i := range c.Brokers {
		if c.Brokers[i].Name == name {
			return &c.Brokers[i]
		}
	}
	return nil
}

// Broker is a JMS broker as a connection target.
type Broker struct {
	Name           string        `mapstructure:"name" required:"true" doc:"the name that routes use"`
	URL            string        `mapstructure:"url" required:"true" doc:"stomp://HOST:PORT or stomp+ssl://HOST:PORT; several parted by commas, or failover:(URL,URL)"`
	Username       string        `mapstructure:"username" doc:"the user to log in as; \"\": none"`
	Password       Secret        `mapstructure:"password" doc:"its password, best as ${env:NAME} or ${file:PATH}; read again at each reconnect"`
	TLS            TLS           `mapstructure:"tls" doc:"for +ssl URLs; the system's certificates are trusted by default"`
	AllowPlaintext bool          `mapstructure:"allow_plaintext" doc:"true: send passwords and messages without TLS to a host that is not loopback"`
	ARN            string        `mapstructure:"arn" doc:"the ARN of an Amazon MQ broker, for eventSourceArn of the payload aws:mq"`
	ClientID       string        `mapstructure:"client_id" doc:"the JMS client id of durable subscriptions that have none of their own; \"\": jmsbridge-ROUTE"`
	HeartBeat      time.Duration `mapstructure:"heart_beat" min:"500ms" max:"5m" doc:"how often each side shows that it lives"`
}

// TLS is how a broker's certificate is judged, and our own.
type TLS struct {
	CAFile     string `mapstructure:"ca_file" doc:"PEM file of the only authorities to trust; \"\": the system's"`
	CertFile   string `mapstructure:"cert_file" doc:"PEM file of our client certificate and its chain; \"\": none"`
	KeyFile    string `mapstructure:"key_file" doc:"PEM file of its private key"`
	ServerName string `mapstructure:"server_name" doc:"the name the certificate must have; \"\": the URL's host"`
}

// AWS is how AWS is reached. What is empty follows the SDK's own default chain (environment, profile, role).
type AWS struct {
	Region      string `mapstructure:"region" doc:"\"\": AWS_REGION or the profile's"`
	EndpointURL string `mapstructure:"endpoint_url" doc:"another endpoint for every service, for tests and VPC endpoints"`
	Profile     string `mapstructure:"profile" doc:"a profile of the shared configuration files"`
	RoleARN     string `mapstructure:"role_arn" doc:"a role to assume"`
	ExternalID  string `mapstructure:"external_id" doc:"the external id that the role's trust policy asks for"`
	CABundle    string `mapstructure:"ca_bundle" doc:"PEM file of further authorities to trust, for a proxy that opens TLS"`
	FIPS        bool   `mapstructure:"fips" doc:"use FIPS endpoints"`
	DualStack   bool   `mapstructure:"dual_stack" doc:"use endpoints that answer on IPv6 too"`
}

// Admin is the HTTP listener.
type Admin struct {
	Listen string `mapstructure:"listen" doc:"HOST:PORT of /live, /ready, /metrics and /status, such as 127.0.0.1:9465; \"\": none"`
}

// LogFormat is how log lines look.
type LogFormat string

// The log formats.
const (
	LogJSON    LogFormat = "json"
	LogConsole LogFormat = "console"
)

// Log is what is logged.
type Log struct {
	Level  string    `mapstructure:"level" enum:"debug|info|warn|error" doc:"debug, info, warn or error"`
	Format LogFormat `mapstructure:"format" enum:"json|console" doc:"json, or console for people"`
}

// Limits bounds the whole process.
type Limits struct {
	Memory Size `mapstructure:"memory" min:"1MiB" max:"1TiB" doc:"bytes of messages that all routes together may hold"`
}
