// Package connectors turns a configuration into sources, sinks and routes: one explicit switch over what the
// configuration names, and no registration.
//
// It is the only package that knows both the configuration and the connectors. A connector itself takes its own
// settings and imports neither this package nor config.
package connectors
