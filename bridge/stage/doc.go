// Package stage holds what looks at a message between its source and its target: today templates, the `${…}` in
// configuration keys such as group_id.
//
// A template is text with expressions in `${…}`; `$${` stands for a literal `${`. An expression is a jq path to one
// field of the envelope, with or without a literal to fall back on:
//
//	${.type}    ${.properties.region}    ${.properties["a.b"]}    ${.properties.region // "none"}
//
// That is the subset of jq that needs no interpreter, and means what jq means by it. Other jq is refused when the
// template is read, with its position.
//
// The package imports bridge and bridge/envelope; it does no I/O and knows no configuration. Templates run on every
// message: they may cost one allocation, and none where a field is taken as it is.
package stage
