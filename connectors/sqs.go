package connectors

import (
	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

func (s *Set) sqsSink(t *config.SQSTarget) (bridge.Sink, error) {
	return sqs.NewSink(sqs.SinkSettings{
		Client:       s.awsClient(),
		Queue:        t.Queue,
		Envelope:     t.Body == config.SQSBodyEnvelope,
		Attributes:   t.Attributes,
		ObjectBase64: t.Object == config.ObjectBase64,
		Log:          s.log,
	})
}

// awsClient returns the one client of all AWS connectors: they share its connections and credentials.
func (s *Set) awsClient() *aws.Client {
	if s.aws == nil {
		a := s.config.AWS
		s.aws = aws.NewClient(aws.Settings{
			Region: a.Region, EndpointURL: a.EndpointURL, Profile: a.Profile, RoleARN: a.RoleARN, ExternalID: a.ExternalID,
			CABundle: a.CABundle, FIPS: a.FIPS, DualStack: a.DualStack, Log: s.log,
		})
	}
	return s.aws
}
