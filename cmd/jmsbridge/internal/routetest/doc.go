// Package routetest reads cases of `jmsbridge test` and judges what a route made of them. What a route makes is the
// engine's and the connectors' own affair, through [connectors.Previews]: nothing here knows how a message is mapped.
//
// What may be touched: the words of a case, how differences are shown. What may not: a case that is read with a key
// ignored passes for the wrong reason, so everything unknown is a mistake with its place.
package routetest
