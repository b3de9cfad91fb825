//go:build integration

package sqstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/jmsbridge/jmsbridge/test/sqstest"
	"github.com/jmsbridge/jmsbridge/test/sqstest/servers"
)

func TestMotoConforms(t *testing.T) {
	url := servers.Moto(t)
	sqstest.Run(t, sqstest.Harness{
		Name: "moto " + servers.MotoVersion, Client: func(t testing.TB) *sqs.Client { return newClient(t, url, nil) }, Differences: motoDifferences,
	})
}

func TestElasticMQConforms(t *testing.T) {
	url := servers.ElasticMQ(t)
	sqstest.Run(t, sqstest.Harness{
		Name: "ElasticMQ " + servers.ElasticMQVersion, Client: func(t testing.TB) *sqs.Client { return newClient(t, url, nil) }, Differences: elasticMQDifferences, Codes: elasticMQCodes,
	})
}
