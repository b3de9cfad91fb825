// Package config is the configuration: the typed tree of bridge.yaml, its defaults, its strict load, its validation
// and its JSON Schema.
//
// The tree (tree.go, route.go) is the one source of truth: each field carries its key (mapstructure), its description
// (doc), and its bounds (required, enum, min, max) as tags. The loader, the example and the schema are made from it, so
// a new key is a new field, a default in default.go and a line in bridge.yaml.example.
//
// Loading parses the file into a goccy/go-yaml tree, which finds what viper forgives (unknown and repeated keys, other
// case, keys without a value, bare numbers for durations) and places every mistake by line and column; viper decodes
// the values of that tree. No map of the tree is keyed by names that users choose, because viper changes their case.
//
// Every key that takes a string may hold references: ${env:NAME} and ${file:PATH} (a relative path is relative to the
// folder of the configuration file; one final newline is cut), and $${ for a literal ${. A [Secret] is read again each
// time it is revealed; everything else is read once, at load.
//
// The package imports nothing of this module: connectors never import config, and connectors/connectors.go maps one to
// the other.
package config
