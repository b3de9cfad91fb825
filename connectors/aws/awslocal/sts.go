package awslocal

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

type callerIdentity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResponse"`
	NS      string   `xml:"xmlns,attr"`
	Arn     string   `xml:"GetCallerIdentityResult>Arn"`
	UserId  string   `xml:"GetCallerIdentityResult>UserId"`
	Account string   `xml:"GetCallerIdentityResult>Account"`
	Request string   `xml:"ResponseMetadata>RequestId"`
}

type assumedRole struct {
	XMLName      xml.Name `xml:"AssumeRoleResponse"`
	NS           string   `xml:"xmlns,attr"`
	Arn          string   `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
	ID           string   `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
	AccessKeyID  string   `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	Secret       string   `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	SessionToken string   `xml:"AssumeRoleResult>Credentials>SessionToken"`
	Expiration   string   `xml:"AssumeRoleResult>Credentials>Expiration"`
	Request      string   `xml:"ResponseMetadata>RequestId"`
}

type xmlError struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	NS      string   `xml:"xmlns,attr"`
	Type    string   `xml:"Error>Type"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
	Request string   `xml:"RequestId"`
}

// sts answers the two actions of AWS STS that are served.
func (c *call) sts(form url.Values) (any, *apiError) {
	if problem := c.applyFaults(); problem != nil || c.cutBefore() {
		return answerless{}, problem
	}
	switch c.action {
	case "GetCallerIdentity":
		return callerIdentity{NS: stsNamespace, Arn: c.principal(), UserId: "AIDALOCAL" + c.account(), Account: c.account(), Request: c.id}, nil
	case "AssumeRole":
		return c.assumeRole(form)
	}
	return nil, &apiError{kind: "InvalidAction", code: "InvalidAction", message: "Could not find operation " + c.action, status: 400}
}

func (c *call) assumeRole(form url.Values) (any, *apiError) {
	arn := form.Get("RoleArn")
	for _, role := range c.e.opt.Roles {
		if role.ARN != arn || (role.ExternalID != "" && role.ExternalID != form.Get("ExternalId")) {
			continue
		}
		part := strings.Split(arn, ":")
		account := c.account()
		if len(part) == 6 {
			account = part[4]
		}
		name := arn[strings.LastIndexByte(arn, '/')+1:]
		session := form.Get("RoleSessionName")
		key := Key{
			ID: "ASIA" + strings.ToUpper(strings.ReplaceAll(newID(), "-", ""))[:16], Secret: newID(), SessionToken: newID() + newID(), Account: account,
			Principal: "arn:aws:sts::" + account + ":assumed-role/" + name + "/" + session,
		}
		c.e.authMu.Lock()
		if len(c.e.keys) > 0 { // else no signature is looked at
			c.e.keys[key.ID] = key
		}
		c.e.authMu.Unlock()
		return assumedRole{
			NS: stsNamespace, Arn: key.Principal, ID: "AROALOCAL:" + session, AccessKeyID: key.ID, Secret: key.Secret, SessionToken: key.SessionToken,
			Expiration: time.Now().Add(time.Hour).UTC().Format(time.RFC3339), Request: c.id,
		}, nil
	}
	return nil, errAccessDenied(c.principal(), "sts:AssumeRole", arn)
}

func encodeXML(id string, answer any, problem *apiError) ([]byte, int) {
	status := http.StatusOK
	if problem != nil {
		if problem.raw != "" {
			return []byte(problem.raw), problem.status
		}
		kind := "Sender"
		if problem.receiver {
			kind = "Receiver"
		}
		answer, status = xmlError{NS: stsNamespace, Type: kind, Code: problem.code, Message: problem.message, Request: id}, problem.status
	}
	text, err := xml.Marshal(answer)
	if err != nil {
		return []byte(err.Error()), http.StatusInternalServerError
	}
	return text, status
}
