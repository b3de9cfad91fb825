package stage_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
)

// The examples that AWS documents, each with the page it is from. Where a page shows a pattern and no event, the event
// is the page's own sample or the sentence beside the pattern.
const (
	// operatorsPage is "Comparison operators for use in event patterns in Amazon EventBridge" of the user guide.
	operatorsPage = "EventBridge user guide: comparison operators"
	// patternsPage is "Creating Amazon EventBridge event patterns" of the user guide.
	patternsPage = "EventBridge user guide: event patterns"
	// arraysPage is "Arrays in Amazon EventBridge event patterns" of the user guide.
	arraysPage = "EventBridge user guide: arrays"
	// nullPage is "Matching null values and empty strings in Amazon EventBridge event patterns" of the user guide.
	nullPage = "EventBridge user guide: null values and empty strings"
	// rulerReadme is README.md of the library that EventBridge matches with, github.com/aws/event-ruler.
	rulerReadme = "Event Ruler: README"
	// rulerTests are RulerTest, JsonRuleCompilerTest and correctness-cases.json in the same repository.
	rulerTests = "Event Ruler: tests"
)

// ec2Event is the sample of the README and of the user guide's complex example.
const ec2Event = `{"version": "0", "id": "ddddd4-aaaa-7777-4444-345dd43cc333", "detail-type": "EC2 Instance State-change Notification",
	"source": "aws.ec2", "account": "012345679012", "time": "2017-10-02T16:24:49Z", "region": "us-east-1",
	"resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
	"detail": {"c-count": 5, "d-count": 3, "x-limit": 301.8, "source-ip": "10.0.0.33", "instance-id": "i-000000aaaaaa00000", "state": "running"}}`

// countEvent has no leaf detail.c-count.
const countEvent = `{"detail-type": ["EC2 Instance State-change Notification"], "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-02ebd4584a2ebd341"],
	"detail": {"state": ["initializing", "running"], "c-count": {"c1": 100}}}`

const autoScalingEvent = `{"version": "0", "id": "3e3c153a-8339-4e30-8c35-687ebef853fe", "detail-type": "EC2 Instance Launch Successful",
	"source": "aws.autoscaling", "account": "123456789012", "time": "2015-11-11T21:31:47Z", "region": "us-east-1", "resources": [],
	"detail": {"eventVersion": "", "responseElements": null}}`

const macieEvent = `{"source": "aws.macie", "detail-type": "Macie Alert", "time": "2017-04-24T22:28:49Z",
	"detail": {"notification-type": "ALERT_CREATED", "tags": ["Custom_Alert", "Insider"], "risk-score": 80, "trigger": {"alert-type": "basic", "risk": 8}}}`

const rfcEvent = `{"Image": {"Width": 800, "Height": 600, "Title": "View from 15th Floor",
	"Thumbnail": {"Url": "http://www.example.com/image/481989943", "Height": 125, "Width": 100}, "Animated": false, "IDs": [116, 943, 234, 38793]}}`

const employees = `{"employees": [{"firstName": "John", "lastName": "Doe"}, {"firstName": "Anna", "lastName": "Smith"}, {"firstName": "Peter", "lastName": "Jones"}]}`

const nestedEmployees = `{"employees": [[{"firstName": "John", "lastName": "Doe", "ids": [1234, 1000, 9999]}, {"firstName": "Anna", "lastName": "Smith"}],
	[{"firstName": "Peter", "lastName": "Jones", "ids": []}]]}`

const orEvent = `{"detail": {"detail-type": "EC2 Instance State-change Notification", "resources": "arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000",
	"info": {"state-status": "running", "state-count": {"count": 100}}, "c-count": 1, "d-count": 8},
	"news": {"newsProviders": "p1", "newCondition1": "news111", "newCondition2": "news222"}}`

var awsExamples = []struct {
	source, pattern, event string
	want                   bool
}{
	// The table of the page, a row each.
	{operatorsPage, `{"Location": ["New York"], "Day": ["Monday"]}`, `{"Location": "New York", "Day": "Monday"}`, true},
	{operatorsPage, `{"Location": ["New York"], "Day": ["Monday"]}`, `{"Location": "New York", "Day": "Tuesday"}`, false},
	{operatorsPage, `{"state": [{"anything-but": "initializing"}]}`, `{"state": "running"}`, true},
	{operatorsPage, `{"state": [{"anything-but": "initializing"}]}`, `{"state": "initializing"}`, false},
	{operatorsPage, `{"Region": [{"anything-but": {"prefix": "us-"}}]}`, `{"Region": "eu-west-1"}`, true},
	{operatorsPage, `{"Region": [{"anything-but": {"prefix": "us-"}}]}`, `{"Region": "us-east-1"}`, false},
	{operatorsPage, `{"FileName": [{"anything-but": {"suffix": ".png"}}]}`, `{"FileName": "a.txt"}`, true},
	{operatorsPage, `{"FileName": [{"anything-but": {"suffix": ".png"}}]}`, `{"FileName": "a.png"}`, false},
	{operatorsPage, `{"state": [{"anything-but": {"equals-ignore-case": "initializing"}}]}`, `{"state": "INITIALIZING"}`, false},
	{operatorsPage, `{"state": [{"anything-but": {"equals-ignore-case": "initializing"}}]}`, `{"state": "running"}`, true},
	{operatorsPage, `{"FilePath": [{"anything-but": {"wildcard": "*/lib/*"}}]}`, `{"FilePath": "/usr/lib/tool"}`, false},
	{operatorsPage, `{"FilePath": [{"anything-but": {"wildcard": "*/lib/*"}}]}`, `{"FilePath": "/usr/bin/tool"}`, true},
	{operatorsPage, `{"Region": [{"prefix": "us-"}]}`, `{"Region": "us-east-1"}`, true},
	{operatorsPage, `{"Region": [{"prefix": "us-"}]}`, `{"Region": "eu-us-1"}`, false},
	{operatorsPage, `{"service": [{"prefix": {"equals-ignore-case": "eventb"}}]}`, `{"service": "EventBridge"}`, true},
	{operatorsPage, `{"LastName": [""]}`, `{"LastName": ""}`, true},
	{operatorsPage, `{"LastName": [""]}`, `{"LastName": "x"}`, false},
	{operatorsPage, `{"Name": ["Alice"]}`, `{"Name": "Alice"}`, true},
	{operatorsPage, `{"Name": [{"equals-ignore-case": "alice"}]}`, `{"Name": "Alice"}`, true},
	{operatorsPage, `{"FileName": [{"suffix": ".png"}]}`, `{"FileName": "a.png"}`, true},
	{operatorsPage, `{"service": [{"suffix": {"equals-ignore-case": "tBridge"}}]}`, `{"service": "EventBRIDGE"}`, true},
	{operatorsPage, `{"ProductName": [{"exists": true}]}`, `{"ProductName": "x"}`, true},
	{operatorsPage, `{"ProductName": [{"exists": true}]}`, `{"Other": "x"}`, false},
	{operatorsPage, `{"ProductName": [{"exists": false}]}`, `{"Other": "x"}`, true},
	{operatorsPage, `{"Weather": [{"anything-but": ["Raining"]}]}`, `{"Weather": "Sunny"}`, true},
	{operatorsPage, `{"UserID": [null]}`, `{"UserID": null}`, true},
	{operatorsPage, `{"Price": [{"numeric": ["=", 100]}]}`, `{"Price": 100}`, true},
	{operatorsPage, `{"Price": [{"numeric": [">", 10, "<=", 20]}]}`, `{"Price": 20}`, true},
	{operatorsPage, `{"Price": [{"numeric": [">", 10, "<=", 20]}]}`, `{"Price": 10}`, false},
	{operatorsPage, `{"PaymentType": ["Credit", "Debit"]}`, `{"PaymentType": "Debit"}`, true},
	{operatorsPage, `{"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]}`, `{"Location": "Paris", "Day": "Monday"}`, true},
	{operatorsPage, `{"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]}`, `{"Location": "Paris", "Day": "Tuesday"}`, false},
	{operatorsPage, `{"FileName": [{"wildcard": "dir/*.png"}]}`, `{"FileName": "dir/icon.png"}`, true},
	{operatorsPage, `{"FileName": [{"wildcard": "dir/*.png"}]}`, `{"FileName": "xdir/icon.png"}`, false},

	// Its sections.
	{operatorsPage, `{"time": [{"prefix": "2017-10-02"}]}`, `{"time": "2017-10-02T18:43:48Z"}`, true},
	{operatorsPage, `{"detail": {"service": [{"prefix": {"equals-ignore-case": "EventB"}}]}}`, `{"detail": {"service": "EVENTBridge"}}`, true},
	{operatorsPage, `{"detail": {"FileName": [{"suffix": {"equals-ignore-case": ".png"}}]}}`, `{"detail": {"FileName": "A.PNG"}}`, true},
	{operatorsPage, `{"detail": {"state": [{"anything-but": "initializing"}]}}`, ec2Event, true},
	{operatorsPage, `{"detail": {"x-limit": [{"anything-but": 123}]}}`, ec2Event, true},
	{operatorsPage, `{"detail": {"x-limit": [{"anything-but": 123}]}}`, `{"detail": {"x-limit": 123}}`, false},
	{operatorsPage, `{"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}}`, ec2Event, true},
	{operatorsPage, `{"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}}`, `{"detail": {"state": "stopped"}}`, false},
	{operatorsPage, `{"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}}`, ec2Event, true},
	{operatorsPage, `{"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}}`, `{"detail": {"x-limit": 200.0}}`, false},
	{operatorsPage, `{"detail": {"state": [{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]}}`, `{"detail": {"state": "Stopped"}}`, false},
	{operatorsPage, `{"detail": {"state": [{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]}}`, ec2Event, true},
	{operatorsPage, `{"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}`, ec2Event, true},
	{operatorsPage, `{"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}`, `{"detail": {"state": "initializing"}}`, false},
	{operatorsPage, `{"detail": {"state": [{"anything-but": {"prefix": ["init", "stop"]}}]}}`, `{"detail": {"state": "stopped"}}`, false},
	{operatorsPage, `{"detail": {"FileName": [{"anything-but": {"suffix": ".txt"}}]}}`, `{"detail": {"FileName": "notes.txt"}}`, false},
	{operatorsPage, `{"detail": {"FileName": [{"anything-but": {"suffix": [".txt", ".rtf"]}}]}}`, `{"detail": {"FileName": "document.rtf"}}`, false},
	{operatorsPage, `{"detail": {"FileName": [{"anything-but": {"suffix": [".txt", ".rtf"]}}]}}`, `{"detail": {"FileName": "document.pdf"}}`, true},
	{operatorsPage, `{"detail": {"FilePath": [{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]}}`, `{"detail": {"FilePath": "/usr/bin/tool"}}`, false},
	{operatorsPage, `{"detail": {"FilePath": [{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]}}`, `{"detail": {"FilePath": "/etc/tool"}}`, true},
	{operatorsPage, `{"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}], "d-count": [{"numeric": ["<", 10]}], "x-limit": [{"numeric": ["=", 3.018e2]}]}}`, ec2Event, true},
	{operatorsPage, `{"detail": {"sourceIPAddress": [{"cidr": "10.0.0.0/24"}]}}`, `{"detail": {"sourceIPAddress": "10.0.0.255"}}`, true},
	{operatorsPage, `{"detail": {"sourceIPAddress": [{"cidr": "10.0.0.0/24"}]}}`, `{"detail": {"sourceIPAddress": "10.0.1.0"}}`, false},
	{operatorsPage, `{"detail": {"state": [{"exists": true}]}}`, ec2Event, true},
	{operatorsPage, `{"detail": {"state": [{"exists": true}]}}`, `{"detail": {"c-count": {"c1": 100}}}`, false},
	{operatorsPage, `{"detail": {"c-count": [{"exists": false}]}}`, `{"detail": {"state": ["initializing", "running"]}}`, true},
	{operatorsPage, `{"detail": {"c-count": [{"exists": false}]}}`, countEvent, true},
	{operatorsPage, `{"detail": {"c-count": [{"exists": false}]}}`, ec2Event, false},
	{
		operatorsPage, `{"time": [{"prefix": "2017-10-02"}], "detail": {"state": [{"anything-but": "initializing"}], "c-count": [{"numeric": [">", 0, "<=", 5]}],
			"d-count": [{"numeric": ["<", 10]}], "x-limit": [{"anything-but": [100, 200, 300]}]}}`, ec2Event, true,
	},
	{operatorsPage, `{"detail": {"$or": [{"c-count": [{"numeric": [">", 0, "<=", 5]}]}, {"d-count": [{"numeric": ["<", 10]}]}, {"x-limit": [{"numeric": ["=", 3.018e2]}]}]}}`, ec2Event, true},
	{operatorsPage, `{"detail": {"$or": [{"c-count": [{"numeric": [">", 5]}]}, {"d-count": [{"numeric": [">=", 10]}]}, {"x-limit": [{"numeric": ["=", 3]}]}]}}`, ec2Event, false},
	{operatorsPage, `{"EventBusArn": [{"wildcard": "arn:aws:events:us-east-1:*:event-bus/*"}]}`, `{"EventBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/a"}`, true},
	{operatorsPage, `{"FileName": [{"wildcard": "a\\*b"}]}`, `{"FileName": "a*b"}`, true},
	{operatorsPage, `{"FileName": [{"wildcard": "a\\*b"}]}`, `{"FileName": "axb"}`, false},
	{operatorsPage, `{"FileName": [{"wildcard": "c:\\\\*"}]}`, `{"FileName": "c:\\x"}`, true},

	{patternsPage, `{"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"], "detail": {"state": ["terminated"]}}`, ec2Event, false},
	{patternsPage, `{"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"], "detail": {"state": ["running"]}}`, ec2Event, true},
	{patternsPage, `{"source": ["aws.ec2", "aws.fargate"]}`, ec2Event, true},
	{patternsPage, `{"source": ["aws.autoscaling"], "detail-type": ["EC2 Instance Launch Successful"], "detail": {"responseElements": [null]}}`, autoScalingEvent, true},
	{patternsPage, `{"source": ["aws.macie"], "detail-type": ["Macie Alert"], "detail": {"risk-score": [80], "trigger": {"risk": [8]}}}`, macieEvent, true},
	{patternsPage, `{"source": ["aws.macie"], "detail": {"risk-score": [80], "trigger": {"risk": [9]}}}`, macieEvent, false},
	{nullPage, `{"detail": {"eventVersion": [""]}}`, autoScalingEvent, true},
	{nullPage, `{"detail": {"responseElements": [null]}}`, autoScalingEvent, true},
	{nullPage, `{"detail": {"responseElements": [""]}}`, autoScalingEvent, false},
	{nullPage, `{"detail": {"eventVersion": [null]}}`, autoScalingEvent, false},
	{
		arraysPage, `{"resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-b188560f", "arn:aws:ec2:us-east-1:111122223333:instance/i-b188560f"]}`,
		`{"resources": ["arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:eb56d16b:autoScalingGroupName/ASGTerminate", "arn:aws:ec2:us-east-1:123456789012:instance/i-b188560f"]}`, true,
	},

	{rulerReadme, `{"detail-type": ["EC2 Instance State-change Notification"], "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"], "detail": {"state": ["initializing", "running"]}}`, ec2Event, true},
	{rulerReadme, `{"time": [{"prefix": "2017-10-02"}]}`, ec2Event, true},
	{rulerReadme, `{"source": [{"suffix": "ec2"}]}`, ec2Event, true},
	{rulerReadme, `{"source": [{"equals-ignore-case": "EC2"}]}`, `{"source": "ec2"}`, true},
	{rulerReadme, `{"source": [{"equals-ignore-case": "EC2"}]}`, ec2Event, false},
	{rulerReadme, `{"source": [{"wildcard": "Simple*Service"}]}`, `{"source": "SimpleQueueService"}`, true},
	{rulerReadme, `{"source": [{"wildcard": "Simple*Service"}]}`, `{"source": "SimpleService"}`, true},
	{rulerReadme, `{"detail": {"source-ip": [{"cidr": "10.0.0.0/24"}]}}`, ec2Event, true},
	{rulerReadme, `{"detail": {"source-ip": [{"cidr": "2001:db8::/32"}]}}`, `{"detail": {"source-ip": "2001:DB8:0:1::1"}}`, true},
	{
		rulerReadme, `{"time": [{"prefix": "2017-10-02"}], "detail": {"state": [{"anything-but": "initializing"}], "c-count": [{"numeric": [">", 0, "<=", 5]}],
			"d-count": [{"numeric": ["<", 10]}], "x-limit": [{"anything-but": [100, 200, 300]}], "source-ip": [{"cidr": "10.0.0.0/8"}]}}`, ec2Event, true,
	},
	{rulerReadme, `{"source": ["aws.cloudwatch"], "$or": [{"metricName": ["CPUUtilization", "ReadLatency"]}, {"namespace": ["AWS/EC2", "AWS/ES"]}]}`, `{"source": "aws.cloudwatch", "namespace": "AWS/ES"}`, true},
	{rulerReadme, `{"source": ["aws.cloudwatch"], "$or": [{"metricName": ["CPUUtilization", "ReadLatency"]}, {"namespace": ["AWS/EC2", "AWS/ES"]}]}`, `{"source": "aws.ec2", "namespace": "AWS/ES"}`, false},
	{rulerReadme, `{"$or": [{"metricName": ["CPUUtilization"]}, {"namespace": ["AWS/EC2"]}], "detail": {"$or": [{"source": ["aws.cloudwatch"]}, {"detail-type": ["CloudWatch Alarm State Change"]}]}}`, `{"namespace": "AWS/EC2", "detail": {"source": "aws.cloudwatch"}}`, true},
	{rulerReadme, `{"$or": [{"metricName": ["CPUUtilization"]}, {"namespace": ["AWS/EC2"]}], "detail": {"$or": [{"source": ["aws.cloudwatch"]}, {"detail-type": ["CloudWatch Alarm State Change"]}]}}`, `{"namespace": "AWS/EC2", "detail": {"source": "aws.ec2"}}`, false},
	{rulerReadme, `{"source": ["aws.cloudwatch"], "$or": [{"metricName": ["CPUUtilization"]}, {"metricType": ["MetricType"], "namespace": ["AWS/EC2"]}, {"scope": ["Service"]}]}`, `{"source": "aws.cloudwatch", "metricType": "MetricType"}`, false},
	{rulerReadme, `{"source": ["aws.cloudwatch"], "$or": [{"metricName": ["CPUUtilization"]}, {"metricType": ["MetricType"], "namespace": ["AWS/EC2"]}, {"scope": ["Service"]}]}`, `{"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/EC2"}`, true},
	{rulerReadme, `{"source": ["aws.cloudwatch"], "$or": [{"metricName": ["CPUUtilization"]}, {"metricType": ["MetricType"], "namespace": ["AWS/EC2"], "$or": [{"metricId": [1234]}, {"spaceId": [1000]}]}, {"scope": ["Service"]}]}`, `{"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/EC2", "spaceId": 1000}`, true},
	{rulerReadme, `{"source": ["aws.cloudwatch"], "$or": [{"metricName": ["CPUUtilization"]}, {"metricType": ["MetricType"], "namespace": ["AWS/EC2"], "$or": [{"metricId": [1234]}, {"spaceId": [1000]}]}, {"scope": ["Service"]}]}`, `{"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/EC2", "spaceId": 1}`, false},
	{rulerReadme, `{"employees": {"firstName": ["Anna"]}}`, employees, true},
	{rulerReadme, `{"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}`, employees, false},
	{rulerReadme, `{"employees": {"firstName": ["Anna"]}}`, nestedEmployees, true},

	{rulerTests, `{"employees": {"firstName": ["John"], "ids": [1000]}}`, nestedEmployees, true},
	{rulerTests, `{"employees": {"firstName": ["Anna"], "ids": [{"exists": false}]}}`, nestedEmployees, true},
	{rulerTests, `{"employees": {"firstName": ["Anna"], "ids": [{"exists": true}]}}`, nestedEmployees, false},
	{rulerTests, `{"employees": {"firstName": ["Anna"], "ids": [1000]}}`, nestedEmployees, false},
	{rulerTests, `{"employees": {"firstName": ["Alice"]}}`, nestedEmployees, false},
	{rulerTests, `{"employees": ["b"]}`, nestedEmployees, false},
	{rulerTests, `{"Image": {"Width": [800], "Thumbnail": {"Height": [125, 300]}}}`, rfcEvent, true},
	{rulerTests, `{"Image": {"Thumbnail": {"Url": [{"prefix": "http"}]}}}`, rfcEvent, true},
	{
		rulerTests, `{"Image": {"Width": [{"numeric": ["<", 1000]}], "Height": [{"numeric": ["<=", 600]}], "Title": [{"anything-but": "View from 15th Flood"}],
			"Thumbnail": {"Url": [{"prefix": "http"}], "Height": [{"numeric": [">", 124, "<", 126]}], "Width": [{"numeric": [">=", 99.999, "<=", 100]}]}, "Animated": [false]}}`, rfcEvent, true,
	},
	{rulerTests, `{"Image": {"Width": [{"numeric": ["<", 800]}]}}`, rfcEvent, false},
	{rulerTests, `{"Image": {"Title": [{"anything-but": "View from 15th Floor"}]}}`, rfcEvent, false},
	{rulerTests, `{"Image": {"Thumbnail": {"Width": [{"numeric": [">=", 100.00001, "<=", 1001]}]}}}`, rfcEvent, false},
	{rulerTests, `{"Image": {"Animated": [true]}}`, rfcEvent, false},
	{rulerTests, `{"account": [123456789012]}`, `{"account": 123456789012}`, true},
	{rulerTests, `{"a": [133.3], "b": ["192.0.2.0"]}`, `{"a": 133.3, "b": "192.0.2.0"}`, true},
	{rulerTests, `{"a": [{"numeric": [">", 120, "<=", 140]}], "b": [{"cidr": "192.0.2.0/24"}]}`, `{"a": 133.3, "b": "192.0.2.0"}`, true},
	{rulerTests, `{"b": [{"anything-but": [111, 222, 333]}]}`, `{"b": "444"}`, true}, // a string is no number, so it is none of these
	{rulerTests, `{"d": [{"anything-but": 444}]}`, `{"d": 444}`, false},
	{rulerTests, `{"n": [{"anything-but": {"suffix": "ing"}}]}`, `{"n": "matching"}`, false},
	{rulerTests, `{"p": [{"anything-but": {"equals-ignore-case": ["CamelCase", "AbC"]}}]}`, `{"p": "abc"}`, false},
	{rulerTests, `{"a": [{"wildcard": "*bc"}], "b": [{"wildcard": "d*f"}], "c": [{"wildcard": "xy*"}]}`, `{"a": "abcbc", "b": "deeeef", "c": "xy"}`, true},
	{rulerTests, `{"b": [{"wildcard": "d*f"}]}`, `{"b": "deeeefx"}`, false},
	{rulerTests, `{"x": ["X"]}`, `{"x": true}`, false},
	{rulerTests, `{"a": [{"cidr": "2001:db8::ff00:42:8329/24"}]}`, `{"a": "2001:d00::1"}`, true}, // the bits behind the mask do not count
	{rulerTests, `{"a": [{"cidr": "54.240.196.171/24"}]}`, `{"a": "54.240.196.0"}`, true},
	{
		rulerTests, `{"detail": {"detail-type": ["EC2 Instance State-change Notification"], "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
			"info": {"state-status": ["initializing", "running"], "state-count": {"count": [100]}},
			"$or": [{"c-count": [{"numeric": [">", 0, "<=", 5]}]}, {"d-count": [{"numeric": ["<", 10]}]}, {"x-limit": [{"numeric": ["=", 3.018e2]}]}]},
			"news": {"newsProviders": ["p1", "p2"], "$or": [{"newCondition1": ["news111"]}, {"newCondition2": ["news222"]}]}}`, orEvent, true,
	},
	{rulerTests, `{"d": {"a": [{"exists": true}], "b": [{"exists": true}]}}`, `{"d": [{"a": 1}, {"b": 2}]}`, false},
	{rulerTests, `{"d": {"a": [{"exists": true}], "b": [{"exists": true}]}}`, `{"d": [{"a": 1}, {"b": 2}, {"a": 3, "b": 4}]}`, true},
	{rulerTests, `{"d": {"a": [{"exists": true}], "b": [{"exists": false}]}}`, `{"d": [{"a": 1}]}`, true},
	{rulerTests, `{"d": {"a": [{"exists": true}], "b": [{"exists": false}]}}`, `{"d": [{"a": 1, "b": 2}]}`, false},
	{rulerTests, `{"d": {"a": [{"exists": true}]}}`, `{"d": []}`, false},
	{rulerTests, `{"d": {"name": [{"exists": true}], "type": [{"exists": true}]}}`, `{"d": {"name": [], "type": "x"}}`, false},
	{rulerTests, `{"u": {"t": {"k": ["color"], "v": ["blue"]}}}`, `{"u": [{"t": [{"k": "color"}, {"v": "blue"}]}]}`, false},
	{rulerTests, `{"u": {"t": {"k": ["color"], "v": ["blue"]}}}`, `{"u": [{"t": [{"k": "color", "v": "blue"}]}]}`, true},
	{rulerTests, `{"d": {"name": [{"exists": true}], "info": {"x": ["1"]}}}`, `{"d": [{"name": "alice"}, {"info": {"x": "1"}}]}`, false},
	{rulerTests, `{"d": {"vals": [{"numeric": [">", 0, "<", 10]}], "type": [{"exists": true}]}}`, `{"d": {"vals": [100, 5, 200], "type": "ok"}}`, true},
	{rulerTests, `{"d": {"tags": [{"anything-but": "banned"}], "type": [{"exists": true}]}}`, `{"d": {"tags": ["banned", "ok"], "type": "x"}}`, true},
	{rulerTests, `{"i": {"p": [{"numeric": [">", 0, "<", 100]}], "n": ["g"]}}`, `{"i": [{"n": "w", "p": 50}, {"n": "g", "p": 200}]}`, false},
}

func TestDocumentedExamplesOfAWS(t *testing.T) {
	for _, tc := range awsExamples {
		// The events are JSON objects of their own, and so the body of a Map here.
		p, err := stage.ParsePattern(map[string]any{"body": tree(t, tc.pattern)})
		if err != nil {
			t.Errorf("%s: %s: %v", tc.source, tc.pattern, err)
			continue
		}
		m := &bridge.Message{Body: bridge.NewMap(valueOf(tree(t, tc.event)).Map())}
		if got, err := p.Matches(m); err != nil || got != tc.want {
			t.Errorf("%s: %s\non %s\ngot %v, %v", tc.source, tc.pattern, tc.event, got, err)
		}
	}
}

// TestNumbersMatchByValue: the user guide says that 300, 300.0 and 3.0e2 are not equal; the Ruler compares them as
// numbers, and so does this.
func TestNumbersMatchByValue(t *testing.T) {
	forms := []string{"300", "300.0", "3.0e2"}
	for _, pattern := range forms {
		for _, event := range forms {
			p := mustParse(t, `{"body": {"n": [`+pattern+`]}}`)
			m := &bridge.Message{Body: bridge.NewMap(valueOf(tree(t, `{"n": `+event+`}`)).Map())}
			if ok, err := p.Matches(m); !ok || err != nil {
				t.Errorf("%s does not match %s: %v", pattern, event, err)
			}
		}
	}
}

// tree decodes JSON as ParsePattern takes it.
func tree(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func mustParse(t testing.TB, pattern string) *stage.Pattern {
	t.Helper()
	p, err := stage.ParsePattern(tree(t, pattern))
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	return p
}

// valueOf makes a JMS value of decoded JSON, with the types that the envelope gives it.
func valueOf(v any) bridge.Value {
	switch v := v.(type) {
	case bool:
		return bridge.Boolean(v)
	case string:
		return bridge.String(v)
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			if n > math.MaxInt32 || n < math.MinInt32 {
				return bridge.Long(n)
			}
			return bridge.Int(int32(n))
		}
		f, _ := v.Float64()
		return bridge.Double(f)
	case []any:
		values := make([]bridge.Value, len(v))
		for i := range v {
			values[i] = valueOf(v[i])
		}
		return bridge.ListValue(values)
	case map[string]any:
		entries := []bridge.Entry{}
		for name, element := range v {
			entries = append(entries, bridge.Entry{Name: name, Value: valueOf(element)})
		}
		return bridge.MapValue(entries)
	default:
		return bridge.Null()
	}
}
