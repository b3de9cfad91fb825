//go:build integration

package eventstest_test

import (
	"testing"

	"github.com/jmsbridge/jmsbridge/test/eventstest"
	"github.com/jmsbridge/jmsbridge/test/sqstest/servers"
)

// What moto 5.2.5 does otherwise than AWS.
var motoDifferences = map[string]string{
	"a pattern is no list":                                     "moto: status 500 and a page of HTML",
	"a pattern has known operators":                            "moto: operators are not checked",
	"a disabled rule gets nothing":                             "moto: a rule's state has no effect",
	"a bus with rules is not deleted":                          "moto: it goes with its rules",
	"bus names have rules":                                     "moto: only / is refused",
	"the name of a bus has rules":                              "moto: ResourceNotFoundException, as for any bus that does not exist",
	"an event for a bus that does not exist is taken and lost": "moto: ResourceNotFoundException for the whole call",
	"more than 1 MB together is refused":                       "moto: sizes are not checked",
	"more than 1 MB is refused":                                "moto: sizes are not checked",
	"no events are refused":                                    "moto: an empty call is taken",
	"the sources of AWS are AWS's":                             "moto: any source is taken",
	"NaN is no JSON":                                           "moto: NaN is JSON",
	"a detail is no number":                                    "moto: any JSON is a detail",
	"a detail is no list":                                      "moto: any JSON is a detail",
	"a detail is no string":                                    "moto: any JSON is a detail",
	"an event names the account":                               "moto: no account",
	"any characters survive in a source and a detail-type":     "moto: status 500 for quotes, and a page of HTML",
}

func TestMotoConforms(t *testing.T) {
	url := servers.Moto(t)
	eventstest.Run(t, eventstest.Harness{
		Name:        "moto " + servers.MotoVersion,
		Endpoint:    func(t testing.TB) eventstest.Endpoint { return clients(t, url, nil) },
		Differences: motoDifferences,
	})
}
