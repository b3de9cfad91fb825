package config

import (
	"reflect"
	"time"
)

// Default returns the configuration of an empty file: it is valid but for its missing routes.
func Default() *Config {
	return &Config{
		Log:    Log{Level: "info", Format: LogJSON},
		Limits: Limits{Memory: 256 * MiB},
	}
}

var (
	defaultRetry = Retry{Attempts: 5, Min: 100 * time.Millisecond, Max: 5 * time.Second}
	defaultBatch = LambdaBatch{Messages: 1, Bytes: 6 * MiB}
)

// defaults returns a value of a struct type of the tree as it is when the file names none of its keys.
func defaults(t reflect.Type) reflect.Value {
	switch t {
	case reflect.TypeFor[Config]():
		return reflect.ValueOf(*Default())
	case reflect.TypeFor[Broker]():
		return reflect.ValueOf(Broker{HeartBeat: 10 * time.Second})
	case reflect.TypeFor[Route]():
		return reflect.ValueOf(Route{
			Enabled: true,
			Order:   OrderNone,
			Expired: ExpiredDeadLetter,
			Retry:   defaultRetry,
			Window:  Window{Bytes: 64 * MiB},
			Drain:   25 * time.Second,
		})
	case reflect.TypeFor[JMSSource]():
		return reflect.ValueOf(JMSSource{Consumers: 1, MaxBody: 16 * MiB, EmptyBody: EmptyBodyHold, Acknowledge: AcknowledgeIndividual})
	case reflect.TypeFor[SQSSource]():
		return reflect.ValueOf(SQSSource{Consumers: 1, Visibility: 30 * time.Second, Wait: 20 * time.Second})
	case reflect.TypeFor[Target]():
		return reflect.ValueOf(Target{Required: true})
	case reflect.TypeFor[Retry]():
		return reflect.ValueOf(defaultRetry)
	case reflect.TypeFor[LambdaTarget]():
		return reflect.ValueOf(LambdaTarget{
			Invocation: InvokeRequestResponse, Payload: PayloadEnvelope, Concurrency: 10, Object: ObjectReject, Batch: defaultBatch,
		})
	case reflect.TypeFor[LambdaBatch]():
		return reflect.ValueOf(defaultBatch)
	case reflect.TypeFor[EventBridgeTarget]():
		return reflect.ValueOf(EventBridgeTarget{Detail: DetailEnvelope, Concurrency: 32, Object: ObjectReject})
	case reflect.TypeFor[Reply]():
		return reflect.ValueOf(Reply{Timeout: 30 * time.Second, Allow: []string{"temp-queue:*"}, Format: ReplyFormatBody})
	case reflect.TypeFor[ReplySQS]():
		return reflect.ValueOf(ReplySQS{Consumers: 1, Visibility: 10 * time.Second})
	case reflect.TypeFor[SQSTarget]():
		return reflect.ValueOf(SQSTarget{Body: SQSBodyPlain, Object: ObjectReject})
	default:
		return reflect.Zero(t)
	}
}
