/**
 * Where the programs and the database stand: programs behind NAT, the database without any way out. Traffic to S3 goes
 * through a gateway endpoint, so no byte of a video is paid for at a NAT gateway.
 */
import { aws_ec2 as ec2, aws_logs as logs, RemovalPolicy } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import type { Stage } from '../stages.ts'

export const postgresPort = 5432

export class Network extends Construct {
  readonly vpc: ec2.Vpc
  /** Workers and schedulers that stay: they speak to the database itself, as LISTEN does not pass a proxy. */
  readonly programs: ec2.SecurityGroup
  /** What comes and goes with requests: it speaks to the proxy. */
  readonly functions: ec2.SecurityGroup
  readonly proxy: ec2.SecurityGroup
  readonly database: ec2.SecurityGroup

  constructor(scope: Construct, id: string, { zones, natGateways, logDays }: Stage) {
    super(scope, id)
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      maxAzs: zones,
      natGateways,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'programs', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 },
        { name: 'database', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      ],
      gatewayEndpoints: { Storage: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    })
    this.vpc.addFlowLog('Rejected', {
      trafficType: ec2.FlowLogTrafficType.REJECT,
      destination: ec2.FlowLogDestination.toCloudWatchLogs(
        new logs.LogGroup(this, 'FlowLog', { retention: logDays, removalPolicy: RemovalPolicy.DESTROY }),
      ),
    })
    this.programs = this.#group('Programs', 'workers and schedulers')
    this.functions = this.#group('Functions', 'functions')
    this.proxy = this.#group('Proxy', 'the pooler')
    this.database = this.#group('Database', 'the database')
    this.#allow(this.programs, this.database)
    this.#allow(this.functions, this.proxy)
    // The proxy's own way to the database is made with the proxy.
    // A collector of traces on another port than these (OTLP: 4318) wants a rule for both groups.
    this.functions.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'storage, and what AWS serves')
    this.programs.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'storage, and what jobs call')
    this.programs.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(80), 'what jobs call')
  }

  #group(id: string, description: string): ec2.SecurityGroup {
    return new ec2.SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound: false })
  }

  #allow(from: ec2.SecurityGroup, to: ec2.SecurityGroup): void {
    to.addIngressRule(from, ec2.Port.tcp(postgresPort), 'PostgreSQL')
    from.addEgressRule(to, ec2.Port.tcp(postgresPort), 'PostgreSQL')
  }
}
