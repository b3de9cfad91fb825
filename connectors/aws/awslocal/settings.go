package awslocal

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are the settable queue attributes, decoded.
type settings struct {
	visibility, delay, retention, wait time.Duration
	maxSize                            int
	contentDedup                       bool
	dedupByGroup                       bool
	redrive                            redrivePolicy
}

type redrivePolicy struct {
	target queueKey
	max    int
}

// numericAttribute is an attribute in whole numbers: what it may be, and its default.
type numericAttribute struct {
	name                string
	low, high, standard int
}

func numericAttributes() []numericAttribute {
	return []numericAttribute{
		{"VisibilityTimeout", 0, 43200, 30},
		{"MessageRetentionPeriod", 60, 1209600, 345600},
		{"DelaySeconds", 0, 900, 0},
		{"ReceiveMessageWaitTimeSeconds", 0, 20, 0},
		{"MaximumMessageSize", 1024, 1 << 20, 1 << 20},
	}
}

// stored tells of an attribute that is taken and answered, and has no effect here.
func stored(attribute string) bool {
	switch attribute {
	case "Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled":
		return true
	}
	return false
}

// defaults are the attributes of a queue that was created with none.
func defaults(fifo bool) map[string]string {
	a := map[string]string{"SqsManagedSseEnabled": "true"}
	for _, n := range numericAttributes() {
		a[n.name] = strconv.Itoa(n.standard)
	}
	if fifo {
		a["FifoQueue"], a["ContentBasedDeduplication"] = "true", "false"
		a["DeduplicationScope"], a["FifoThroughputLimit"] = "queue", "perQueue"
	}
	return a
}

// merge checks given attributes, and returns all attributes and what they mean. given is taken into all.
func (e *Endpoint) merge(all, given map[string]string, fifo bool) (settings, *apiError) {
	numeric := numericAttributes()
	for name, value := range given {
		at := slices.IndexFunc(numeric, func(n numericAttribute) bool { return n.name == name })
		switch {
		case at >= 0:
			n, err := strconv.Atoi(value)
			if err != nil || n < numeric[at].low || n > numeric[at].high {
				return settings{}, plain("InvalidAttributeValue", "Invalid value for the parameter "+name+".")
			}
		case stored(name):
		case name == "RedrivePolicy":
		case name == "FifoQueue" && fifo:
			if value != "true" {
				return settings{}, plain("InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
			}
		case fifo && name == "ContentBasedDeduplication":
			if value != "true" && value != "false" {
				return settings{}, plain("InvalidAttributeValue", "Invalid value for the parameter ContentBasedDeduplication.")
			}
		case fifo && name == "DeduplicationScope":
			if value != "queue" && value != "messageGroup" {
				return settings{}, plain("InvalidAttributeValue", "Invalid value for the parameter DeduplicationScope.")
			}
		case fifo && name == "FifoThroughputLimit":
			if value != "perQueue" && value != "perMessageGroupId" {
				return settings{}, plain("InvalidAttributeValue", "Invalid value for the parameter FifoThroughputLimit.")
			}
		default:
			return settings{}, plain("InvalidAttributeName", "Unknown Attribute "+name+".")
		}
	}
	redrive, problem := e.redrive(given["RedrivePolicy"], fifo)
	if problem != nil {
		return settings{}, problem
	}
	for name, value := range given {
		if value == "" && (stored(name) || name == "RedrivePolicy") {
			delete(all, name)
			continue
		}
		all[name] = value
	}
	if _, ok := given["RedrivePolicy"]; !ok && all["RedrivePolicy"] != "" {
		redrive, _ = e.redrive(all["RedrivePolicy"], fifo)
	}
	seconds := func(name string) time.Duration {
		n, _ := strconv.Atoi(all[name])
		return time.Duration(n) * time.Second
	}
	size, _ := strconv.Atoi(all["MaximumMessageSize"])
	return settings{
		visibility: seconds("VisibilityTimeout"), delay: seconds("DelaySeconds"), retention: seconds("MessageRetentionPeriod"),
		wait: seconds("ReceiveMessageWaitTimeSeconds"), maxSize: size,
		contentDedup: all["ContentBasedDeduplication"] == "true", dedupByGroup: all["DeduplicationScope"] == "messageGroup",
		redrive: redrive,
	}, nil
}

// redrive decodes a RedrivePolicy; maxReceiveCount may be a number or a string.
func (e *Endpoint) redrive(policy string, fifo bool) (redrivePolicy, *apiError) {
	if policy == "" {
		return redrivePolicy{}, nil
	}
	bad := func(reason string) (redrivePolicy, *apiError) {
		return redrivePolicy{}, invalidParameter("Value %s for parameter RedrivePolicy is invalid. Reason: %s", policy, reason)
	}
	var p struct {
		Target string          `json:"deadLetterTargetArn"`
		Max    json.RawMessage `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(policy), &p) != nil {
		return bad("Redrive policy is not a valid JSON map.")
	}
	limit, err := strconv.Atoi(strings.Trim(string(p.Max), `"`))
	if err != nil || limit < 1 || limit > 1000 {
		return bad("Invalid value for maxReceiveCount: " + string(p.Max) + ", valid values are from 1 to 1000 both inclusive.")
	}
	part := strings.Split(p.Target, ":")
	if len(part) != 6 || part[0] != "arn" || part[2] != "sqs" {
		return bad("Invalid value for deadLetterTargetArn.")
	}
	target := queueKey{part[4], part[5]}
	if e.queues[target] == nil {
		return bad("Dead letter target does not exist.")
	}
	if strings.HasSuffix(target.name, ".fifo") != fifo {
		return bad("Dead-letter queue must be same type of queue as the source.")
	}
	return redrivePolicy{target, limit}, nil
}
