package config

import (
	"fmt"
	"net/url"
	"strings"
)

// checkSQSQueue checks the spelling of an SQS queue: a name, a URL or an ARN. Whether it is there only AWS can tell.
func checkSQSQueue(q string) error {
	name := q
	switch {
	case strings.HasPrefix(q, "arn:"):
		if !isARN(q, "sqs") || strings.Contains(q, "::") { // the region matters: calls go there
			return fmt.Errorf("%q is no ARN of a queue: write arn:aws:sqs:REGION:ACCOUNT:NAME", q)
		}
		name = q[strings.LastIndexByte(q, ':')+1:]
	case strings.Contains(q, "://"):
		u, err := url.Parse(q)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%q is no URL of a queue: write https://sqs.REGION.amazonaws.com/ACCOUNT/NAME", q)
		}
		name = u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	}
	base := strings.TrimSuffix(name, ".fifo")
	// Amazon SQS: up to 80 characters, the suffix included.
	if base == "" || len(name) > 80 || strings.ContainsFunc(base, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) {
		return fmt.Errorf("%q is no name of a queue: SQS allows up to 80 letters, digits, - and _, and .fifo at the end", name)
	}
	return nil
}

// isARN tells whether s looks like an ARN of a service: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.
func isARN(s, service string) bool {
	parts := strings.SplitN(s, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && strings.HasPrefix(parts[1], "aws") && parts[2] == service &&
		parts[4] != "" && parts[5] != ""
}
