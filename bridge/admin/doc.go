// Package admin is how the world outside sees that the process is well: an HTTP listener with health, metrics and
// status, and the notify socket of systemd.
//
//	/live     200 while every route makes progress, 503 with the reason otherwise: restart the process
//	/ready    200 while at least one route is connected to its broker, 503 otherwise
//	/metrics  Prometheus
//	/status   JSON: what each route does, since when, why, and what to do about it
//
// Liveness is progress, not that HTTP answers: each route is asked for its status, which takes every lock that moving
// a message takes, and must answer; and a route that says it runs, with a target that works and calls under way, must
// get something done. A broker or target that is down is no reason to restart, and leaves /live green.
//
// The listener changes nothing and shows no bodies, properties or secrets: message ids and reasons are the most that
// it tells. It has no profiler. It has no login either, so it belongs on loopback or a network of its own.
//
// The package imports bridge, the Prometheus client and go-systemd's daemon package. It knows no route but through
// [Reporter].
package admin
